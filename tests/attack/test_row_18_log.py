"""Row 18: no name of a device, file or peer ends a line, moves a cursor, turns the direction or fills a log.

Texts go in where the world says them (USB product, BLE name, device's serial, path, error of the network, value of the
configuration) and are looked for where people read: log, `status`, `devices`, `spool check`, errors, metrics.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from agent.cli import entry, run
from agent.cli.talk import PLAIN_LIMIT_LETTERS, plain
from agent.health import metrics, status
from agent.supervisor import Supervisor
from tests.unit.test_devices_verb import FOUND, NOBODY
from tests.unit.test_status import WELL

EVIL = (
    "\r\nERROR wardlink.gateway forged line",
    "\x1b[2J\x1b]0;owned\x07",
    "\x9b31m",
    "\u202egnp.exe\u2066",
    "\u2028problem: none\u2029",
    "nul\0 bell\a back\b del\x7f",
    "a" * 1_000_000,
    'quote" back\\slash',
)
FORBIDDEN = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@pytest.fixture(params=EVIL, ids=lambda text: repr(text[:12]))
def evil(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The handlers as `wardlink run` sets them up."""
    before, level, out = logging.root.handlers[:], logging.root.level, io.StringIO()
    logging.root.handlers[:] = []
    try:
        yield out
    finally:
        logging.root.handlers[:] = before
        logging.root.setLevel(level)


def set_up(out: io.StringIO, as_json: bool) -> None:
    run.set_up_log(as_json)
    logging.root.handlers[0].setStream(out)  # type: ignore[attr-defined]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_log_record_is_one_record(evil: str, log: io.StringIO, as_json: bool) -> None:
    set_up(log, as_json)
    logging.getLogger("wardlink.port").warning("port closed path=%s reason=%r", evil, evil)
    said = log.getvalue()
    assert not FORBIDDEN.search(said)
    assert len(said) < 40_000
    records = said.splitlines()
    if as_json:
        (one,) = records
        assert msgspec.json.decode(one)["level"] == "WARNING"
    assert all(line.startswith(("WARNING ", "  | ", "{")) for line in records)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_traceback_forges_no_record(evil: str, log: io.StringIO, as_json: bool) -> None:
    set_up(log, as_json)
    supervisor = Supervisor()

    def work() -> None:
        raise ValueError(evil)

    supervisor.once("a task", work)
    said = log.getvalue()
    assert not FORBIDDEN.search(said)
    assert not [line for line in said.splitlines() if line.startswith("ERROR") and "task failed" not in line]
    assert len(supervisor.watched[0].last_error) <= 500
    assert len(said) < 40_000


def hostile_status(evil: str) -> status.Status:
    """Every text that anybody outside can set."""
    port = msgspec.structs.replace(FOUND, path=evil, state=evil, adapter=evil, place=evil, why=evil)
    other = msgspec.structs.replace(NOBODY, path=evil, state=evil, adapter=evil)
    link = msgspec.structs.replace(WELL.link, connected=False, problem=evil, hint=evil)
    stranger = status.StrangerStatus("C0:00:00:00:00:01", evil, "", evil, -50, 1.0)
    peer = status.PeerStatus(
        "C0:00:00:00:00:02", evil, "gatt_oximeter", evil, evil, False, True, None, None, *([1] * 9)
    )
    radio = status.RadioStatus(evil, evil, 1, 1, 0, {"power": 1}, 0, [peer], [stranger])
    task = status.TaskStatus(f"port {evil}", 1, evil)
    return msgspec.structs.replace(
        WELL, bed=evil, ports=[port, other], link=link, radio=radio, tasks=[task], clock=evil
    )


@pytest.mark.parametrize("verb", ["status", "devices"])
def test_what_people_read_at_the_bed_is_inert(
    evil: str, verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / status.STATUS_FILE).write_bytes(status.pack(hostile_status(evil)))
    lines_of_nobody = honest_lines(verb, tmp_path, capsys)
    assert entry.main([verb, "--runtime", str(tmp_path)]) in (0, 1)
    said = capsys.readouterr().out
    assert not FORBIDDEN.search(said)
    assert said.count("\n") == lines_of_nobody
    assert len(said) < 40 * PLAIN_LIMIT_LETTERS
    assert not any(line.startswith("ERROR") for line in said.splitlines())


def honest_lines(verb: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> int:
    """How many lines the same status has with harmless words."""
    calm = folder / "calm"
    calm.mkdir()
    (calm / status.STATUS_FILE).write_bytes(status.pack(hostile_status("word")))
    entry.main([verb, "--runtime", str(calm)])
    return capsys.readouterr().out.count("\n")


def test_metrics_stay_one_sample_a_line(evil: str) -> None:
    sample = re.compile(r'(# TYPE \w+ \w+|wardlink_\w+(\{(\w+="([^"\\\n]|\\["\\n])*",?)*\})? [-+0-9.einf]+)')
    said = metrics.text(hostile_status(evil))
    for line in said.rstrip("\n").split("\n"):
        assert sample.fullmatch(line), line[:200]
    assert said.count("\n") == metrics.text(hostile_status("word")).count("\n")


def test_errors_name_files_and_nothing_more(evil: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name = evil[:100].replace("\0", "").replace("/", "")
    (tmp_path / name).write_bytes(b"site = 7\n")
    assert entry.main(["run", "--config", str(tmp_path / name)]) == 78
    said = capsys.readouterr().err
    assert not FORBIDDEN.search(said)
    assert not [line for line in said.splitlines() if line.startswith("ERROR")]


def test_values_of_a_configuration_too(evil: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    value = msgspec.json.encode(evil[:5000].replace("\x7f", "")).decode().replace("\x9b", "\\u009b")
    file = tmp_path / "gateway.toml"
    file.write_text(f'site = {value}\nbroker = "mqtts://h"\n')
    assert entry.main(["run", "--config", str(file)]) == 78
    assert not FORBIDDEN.search(capsys.readouterr().err)


def test_names_in_any_script_stay_readable() -> None:
    assert plain("Кровать 2, Лит é 床") == "Кровать 2, Лит é 床"
