"""The command line: data on stdout, talk on stderr, and an exit code that a script can believe."""

import io
import json
import os
import sys
from pathlib import Path

import msgspec
import pytest

from agent import VERSION
from agent.cli.entry import VERBS, main
from agent.health import notify, status
from agent.lab import keyring
from agent.spool import Limits, Spool, Stored
from drivers import registry
from tests.unit.test_status import WELL
from wire.envelope import Header
from wire.topics import Class

CAPTURE = Path(__file__).parents[1] / "captures" / "contec_v7" / "cms60c-finger-in.cap"
FRAMES = [bytes.fromhex("01E094C095FFFFFFFF")] * 3


class Said:
    """What one run of the command said and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def rows(self) -> list[dict]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def samples(self) -> list[int]:
        return [n for row in self.rows if row["kind"] == "wave" and row["channel"] == "pleth" for n in row["samples"]]


@pytest.fixture
def wardlink(capsys):
    def run(*words: object) -> Said:
        try:
            code = main([str(word) for word in words])
        except SystemExit as ended:
            code = ended.code
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run


def is_error(said: Said, code: int, *texts: str) -> bool:
    """`error:` first, on stderr alone; never a traceback."""
    good = said.code == code and said.err.startswith("error: ") and "Traceback" not in said.err and not said.out
    return good and all(text in said.err for text in texts)


def decode(wardlink, tmp_path, data: bytes) -> Said:
    file = tmp_path / "recorded"
    file.write_bytes(data)
    return wardlink("decode", "--driver", "contec_v7", file)


def test_a_capture_is_decoded_with_its_own_times(wardlink) -> None:
    said = wardlink("decode", "--driver", "contec_v7", CAPTURE)
    assert said.code == 0
    assert {row["kind"] for row in said.rows} >= {"numeric", "wave"}
    assert "send" not in {row["kind"] for row in said.rows}, "what we would send is no observation"
    assert said.rows[-1]["t"] > 1
    assert said.err.startswith("frames ")


FORMS = {
    "raw": b"".join(FRAMES),
    "hex on one line": b"".join(FRAMES).hex().encode(),
    "hex lines": b"\n".join(frame.hex().encode() for frame in FRAMES) + b"\n",
    "hex with blanks": b" ".join(b"%02X" % byte for byte in b"".join(FRAMES)),
    "hex lines with CR": b"\r\n".join(frame.hex().encode() for frame in FRAMES) + b"\r\n",
    "a log with RX and TX": b"".join(
        b"2026-01-02 03:04:05.6 TX 7D81A1808080808080\n2026-01-02 03:04:05.7 RX %s\n" % frame.hex().encode()
        for frame in FRAMES
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_the_same_bytes_says_the_same(wardlink, tmp_path, form: str) -> None:
    said = decode(wardlink, tmp_path, FORMS[form])
    assert (said.code, said.samples) == (0, [64, 64, 64])
    assert said.err == "frames 3 bad 0 skipped-bytes 0\n"


def test_standard_input_is_a_file_too(wardlink, monkeypatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(FORMS["raw"])))
    assert len(wardlink("decode", "--driver", "contec_v7", "-").samples) == 3


def test_bytes_that_begin_like_a_comment_are_still_bytes(wardlink, tmp_path) -> None:
    said = decode(wardlink, tmp_path, b"#\xff\xfe" + FORMS["raw"])
    assert len(said.samples) == 3
    assert "frames 3 " in said.err
    assert "skipped-bytes 3" in said.err


def test_a_line_without_end_is_cut_and_nothing_is_lost(wardlink, tmp_path) -> None:
    """64 kB on one line, with and without blanks."""
    many = FRAMES[0] * 10_000
    for text in (many.hex(), many.hex(" "), many.hex(" ", 3)):
        said = decode(wardlink, tmp_path, text.encode())
        assert len(said.samples) == 10_000
        assert said.err == "frames 10000 bad 0 skipped-bytes 0\n"


def test_an_empty_file_says_nothing(wardlink, tmp_path) -> None:
    said = decode(wardlink, tmp_path, b"")
    assert (said.code, said.samples) == (0, [])


@pytest.mark.parametrize(
    ("words", "code", "texts"),
    [
        (("decode", "--driver", "contec_v7", "/none"), 1, ("/none: No such file",)),
        (("decode", "--driver", "contec_v8", "/none"), 1, ("no driver is called 'contec_v8'", "hint: did you mean")),
        (("drivers", "xyz"), 1, ("no driver is called 'xyz'", "hint: there are:")),
        (("run", "--config", "/none.toml"), 78, ("/none.toml: No such file", "hint: name another file")),
        (("check", "--config", "/none.toml"), 78, ("/none.toml",)),
        (("replay", "/none.cap"), 1, ("/none.cap",)),
        (("record", "--driver", "contec_v7", "/dev/none", "-"), 1, ("/dev/none", "no such port")),
        (("record", "--driver", "mindray_hl7", "/dev/none", "-"), 1, ("mindray_hl7", "not found on serial ports")),
        (("spool", "check", "--folder", "/none"), 1, ("/none is no folder", "hint:")),
        (("status", "--runtime", "/none"), 1, ("no gateway has run", "hint: systemctl")),
    ],
)
def test_what_cannot_be_done_is_said_and_how_it_ends(wardlink, words, code: int, texts) -> None:
    said = wardlink(*words)
    assert is_error(said, code, *texts), said.err


@pytest.mark.parametrize("words", [(), ("nonsense",), ("decode",), ("run", "--nonsense"), ("spool",), ("x", "check")])
def test_wrong_usage_is_2(wardlink, words) -> None:
    said = wardlink(*words)
    assert said.code == 2
    assert "usage: wardlink" in said.err
    assert not said.out


def test_help_names_every_verb(wardlink) -> None:
    said = wardlink("--help")
    assert said.code == 0
    assert all(verb in said.out for verb in VERBS)


def test_a_file_that_is_no_text_is_an_error_and_no_traceback(wardlink, tmp_path) -> None:
    file = tmp_path / "bad.cap"
    file.write_bytes(b"driver: contec_v7\n\xff\xff")
    assert is_error(wardlink("replay", file), 1, "UTF-8")
    assert is_error(wardlink("decode", "--driver", "contec_v7", file), 1, "UTF-8")
    file.write_text("driver: contec_v7\n")
    assert is_error(wardlink("decode", "--driver", "contec_v7", file), 1, "the header lacks")


def test_drivers_are_listed_and_explained(wardlink) -> None:
    listed = wardlink("drivers").out
    rows = json.loads(wardlink("drivers", "--json").out)
    assert [row["id"] for row in rows] == list(registry.ids())
    assert all(row["id"] in listed and row["wiring"] and row["line"] for row in rows)
    assert [row["id"] for row in rows if not row["emits"]] == ["barcode_reader"]
    page = wardlink("drivers", "contec_v7").out
    assert "115200 8N1" in page
    assert "sends 6 fixed requests" in page


def test_a_good_configuration_is_checked(wardlink, tmp_path) -> None:
    ring = keyring.make(tmp_path)
    file = tmp_path / "gateway.toml"
    file.write_text(f'site = "north"\nbroker = "mqtts://localhost"\nkeys = "{ring.gateway}"\n')
    facts = json.loads(wardlink("check", "--config", file, "--json").out)
    assert (facts["gateway"], facts["recipients"], facts["receipts"]) == (ring.gateway_id, 1, "verified")
    (ring.gateway / "gateway.crt").unlink()
    assert is_error(wardlink("check", "--config", file), 1, "gateway.crt", "hint:")
    (ring.gateway / "gateway.key").unlink()
    assert is_error(wardlink("check", "--config", file), 78, "gateway.key", "hint:")


@pytest.fixture
def spool(tmp_path) -> Path:
    """A spool of three envelopes."""
    folder = tmp_path / "spool"
    limits = Limits()
    made = Spool.open(folder, {int(cls): 2 * limits.segment_bytes for cls in Class})
    for cls, seq in ((0, 0), (1, 0), (1, 1)):
        header = Header(made.epoch, Class(cls), seq, 0)
        made.append(Stored(cls, made.epoch, 0, seq, header.pack() + bytes(18)))
    made.commit()
    made.close()
    return folder


def test_a_spool_is_proved_counted_and_exported(wardlink, spool, tmp_path) -> None:
    assert wardlink("spool", "check", "--folder", spool).out == "every invariant holds\n"
    rows = json.loads(wardlink("spool", "stat", "--folder", spool, "--json").out)
    assert [(row["class"], row["envelopes"], row["bytes"]) for row in rows] == [("key", 1, 30), ("vital", 2, 60)]
    out = tmp_path / "exported"
    export = ("spool", "export", "--folder", spool, "--gateway", "gw-1", out)
    assert wardlink(*export).out == "gateway gw-1: 3 envelopes, 90 bytes, what the centre has not confirmed\n"
    assert is_error(wardlink(*export), 1, "exported", "exists")


def test_a_damaged_spool_exits_1_and_says_what(wardlink, spool) -> None:
    segment = next(spool.glob("1-*.seg"))
    data = bytearray(segment.read_bytes())
    data[4096 + 50] ^= 1
    segment.write_bytes(data)
    said = wardlink("spool", "check", "--folder", spool, "--json")
    assert said.code == 1
    assert "damaged" in json.loads(said.out)["problems"][0]


@pytest.mark.parametrize(("connected", "code"), [(True, 0), (False, 1)])
def test_status_exits_1_where_something_is_wrong(wardlink, tmp_path, connected: bool, code: int) -> None:
    link = msgspec.structs.replace(WELL.link, connected=connected)
    now = msgspec.structs.replace(WELL, link=link, written_unix_s=float(tmp_path.stat().st_mtime))
    notify.replace(tmp_path / status.STATUS_FILE, status.pack(now))
    said = wardlink("status", "--runtime", tmp_path)
    assert said.code == code
    assert ("problem: no link" in said.out) is not connected
    said = wardlink("status", "--runtime", tmp_path, "--json")
    assert (said.code, len(json.loads(said.out)["problems"])) == (code, code)


def test_a_status_that_is_none_is_an_error(wardlink, tmp_path) -> None:
    (tmp_path / status.STATUS_FILE).write_bytes(b"{}")
    assert is_error(wardlink("status", "--runtime", tmp_path), 1, "not a status")


def test_the_log_is_json_whatever_is_in_it(capsys) -> None:
    import logging

    from agent.cli.run import set_up_log

    before = logging.root.handlers[:]
    logging.root.handlers[:] = []
    try:
        set_up_log(as_json=True)
        try:
            raise KeyError('a "quoted" key')
        except KeyError:
            logging.getLogger("wardlink.test").exception("says %r\nand more", 'it\'s "fine"')
    finally:
        logging.root.handlers[:] = before
    (line,) = capsys.readouterr().err.splitlines()
    row = json.loads(line)
    assert (row["level"], row["room"]) == ("ERROR", "wardlink.test")
    assert "Traceback" in row["said"]


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    import subprocess

    words = [sys.executable, "-m", "agent.cli.entry", "decode", "--driver", "contec_v7", str(CAPTURE)]
    program = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=CAPTURE.parents[3])
    assert program.stdout is not None
    assert program.stderr is not None
    os.read(program.stdout.fileno(), 10)
    program.stdout.close()
    said = program.stderr.read()
    program.stderr.close()
    assert program.wait(10) == 0
    assert b"Traceback" not in said


def test_it_says_its_version(wardlink) -> None:
    said = wardlink("--version")
    assert (said.code, said.out) == (0, f"{VERSION}\n")
