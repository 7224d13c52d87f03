"""`wardlink centre export`, the path of the centre, and what is never written."""

from __future__ import annotations

import io
import zipfile
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

import pytest

from agent.cli import centre_export
from agent.cli.entry import main
from centre.export import formats
from centre.store import Store
from centre.web import exports
from centre.web.app import make_app
from tests.exports import readers
from tests.exports.compare import compare
from tests.exports.rig import UTC, Truth, feed, url_of
from tests.system.page_caller import ask
from tests.unit.test_export_wfdb import LEADS, signal

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
TIMES = ("--from", "2026-12-06T08:00:00Z", "--to", "2026-12-06T09:00:00+00:00")


def truth() -> Truth:
    return Truth("t", Fraction(500), signal(1500), LEADS)


def configured(folder: Path) -> Path:
    path = folder / "centre.toml"
    path.write_text(f'broker = "mqtt://127.0.0.1:1"\nkeys = "{folder}"\nstore = "{url_of(folder)}"\n')
    return path


def test_the_verb_writes_a_folder_and_refuses_to_write_over_it(tmp_path: Path, capsys) -> None:
    said = truth()
    gateway = feed(url_of(tmp_path), said)
    config, out = str(configured(tmp_path)), str(tmp_path / "out")
    words = ["centre", "export", "wfdb", "--config", config, "--gateway", gateway, *TIMES, "-o", out]
    assert main(words) == 0
    assert "1 strips of waves" in capsys.readouterr().out
    assert compare(said, readers.wfdb(tmp_path / "out")).good
    assert main(words) == 1
    assert "hint: name a folder that is not" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "code", "why"),
    [
        (("--gateway", "nobody"), 1, "nothing was ever heard"),
        (("--from", "2026-12-06T08:00:00"), 2, "zone"),
        (("--from", "yesterday"), 2, "'yesterday' is no time"),
        (("--channel", "pleth"), 1, "no wave is there"),
    ],
)
def test_what_cannot_be_is_said_and_leaves_nothing(tmp_path: Path, capsys, change, code, why) -> None:
    gateway = feed(url_of(tmp_path), truth())
    words = ["centre", "export", "edf", "--config", str(configured(tmp_path)), "--gateway", gateway, *TIMES, *change]
    try:
        ended = main([*words, "-o", str(tmp_path / "out")])
    except SystemExit as error:
        ended = error.code
    assert ended == code
    assert why in capsys.readouterr().err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("out")]


def test_an_epoch_without_a_time_is_named_and_asked_for_by_number(tmp_path: Path, capsys) -> None:
    gateway = feed(url_of(tmp_path), truth(), anchored=False)
    words = ["centre", "export", "csv", "--config", str(configured(tmp_path)), "--gateway", gateway]
    assert main([*words, *TIMES, "-o", str(tmp_path / "one")]) == 1
    assert main([*words, "--epoch", "1", "-o", str(tmp_path / "two")]) == 0
    assert compare(truth(), readers.csv(tmp_path / "two")).good
    assert main([*words, "-o", str(tmp_path / "three")]) == 1
    said = capsys.readouterr().err
    assert "no clock vouches for the time of epoch 1" in said
    assert "a time is needed" in said


def test_the_path_streams_a_zip(tmp_path: Path) -> None:
    said = truth()
    gateway = feed(url_of(tmp_path), said)
    store = Store(url_of(tmp_path))
    app = make_app(store, None)
    times = f"from={UTC}&to={UTC + 3_600_000_000}"
    for name in ("parquet", "wfdb"):
        answer = ask(app, f"/api/beds/{gateway}/export/{name}?{times}")
        assert answer.status_code == 200, answer.text
        zipfile.ZipFile(io.BytesIO(answer.content)).extractall(tmp_path / name)
        assert compare(said, getattr(readers, name)(tmp_path / name)).good
    asked = {
        f"{gateway}/export/parquet": (422, "a day apart"),
        f"{gateway}/export/parquet?from={UTC}&to={UTC + 86_400_000_001}": (422, "a day apart"),
        f"{gateway}/export/dicom?{times}&channel={quote('spo2')}": (422, "no ECG"),
        f"{gateway}/export/mp3?{times}": (422, ""),
        f"nobody/export/edf?{times}": (404, "nothing was ever heard"),
        f"{gateway}/export/edf?{times}": (200, ""),  # the turn was given back each time
    }
    for path, (status, why) in asked.items():
        answer = ask(app, f"/api/beds/{path}")
        assert (answer.status_code, why in answer.text) == (status, True), (path, answer.text)
    store.close()


def test_the_formats_are_the_same_everywhere() -> None:
    assert list(formats.FORMATS) == list(centre_export.FORMATS) == list(exports.Format.__args__)
