"""The audit log: what is altered, cut, or rewritten is named; what a power cut tears is kept and said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import audit as files
from agent.audit import PARTS_COUNT, Audit
from agent.cli.entry import main
from agent.spool.files import Disk
from agent.waiting import Waiting
from wire import audit
from wire.audit import LINE_LIMIT_BYTES, AuditError, Entry, Head
from wire.keys import gateway_id

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(32))
UTC = 1_790_000_000_000_000
HOSTILE = "a\r\nb\x1b[31mred\x7f\u202egnp.exe\u0085\u2028\x00\ud800" + "x" * 1_000_000


def log(folder: Path, limit_bytes: int = 1 << 20) -> Audit:
    return Audit(Disk(), folder, KEY, 7, lambda: 5_000_000, lambda: UTC, limit_bytes)


def kept(folder: Path) -> list[bytes]:
    return files.lines(files.kept(Disk(), folder))


def filled(folder: Path, count: int = 6) -> list[bytes]:
    writer = log(folder)
    for number in range(count - 1):  # one more is the part's own
        writer.append("centre", "command", verb="resend", number=str(number))
    return kept(folder)


def test_a_log_verifies_and_says_its_head(tmp_path: Path) -> None:
    lines = filled(tmp_path)
    head = log(tmp_path).append("cli", "bundle")
    assert audit.verify(kept(tmp_path), KEY.public_key()) == head == Head(7, head.hash, 0)
    assert audit.key_of(lines) == KEY.public_key()
    assert audit.head(head.text()) == Head(7, head.hash)


@pytest.mark.parametrize("at", range(6))
def test_one_flipped_byte_names_its_entry(tmp_path: Path, at: int) -> None:
    lines = filled(tmp_path)
    for place in range(len(lines[at])):
        bad = bytearray(lines[at])
        bad[place] ^= 1
        with pytest.raises(AuditError) as told:
            audit.verify([*lines[:at], bytes(bad), *lines[at + 1 :]], KEY.public_key())
        number = at == 0 and place == 5  # what numbers all that follow: here the entry that it says it is
        assert told.value.n == at or number, f"byte {place} of line {at}"


def test_a_newline_that_flips_names_its_entry(tmp_path: Path) -> None:
    data = b"\n".join(filled(tmp_path))
    place = data.index(b"\n")
    with pytest.raises(AuditError, match="entry 0"):
        audit.verify(files.lines(data[:place] + b"\x0b" + data[place + 1 :]), KEY.public_key())


def test_what_is_left_out_swapped_or_cut_is_named(tmp_path: Path) -> None:
    lines = filled(tmp_path)
    key = KEY.public_key()
    for bad, n in (
        ([*lines[:2], *lines[3:]], 2),
        ([lines[0], lines[2], lines[1], *lines[3:]], 1),
        ([*lines[:4], lines[4][:-20]], 4),
        (lines[1:], 1),
        ([], 0),
    ):
        with pytest.raises(AuditError) as told:
            audit.verify(bad, key)
        assert told.value.n == n


def test_a_log_that_ends_early_is_seen_by_the_head_that_another_kept(tmp_path: Path) -> None:
    lines = filled(tmp_path)
    key, head = KEY.public_key(), audit.verify(filled(tmp_path / "b"), KEY.public_key())
    assert audit.verify(lines, key, head) == head
    assert audit.verify(kept(tmp_path), key, audit.verify(lines[:3], key)).count == 6
    with pytest.raises(AuditError, match="entry 4: the log ends before it; 6 entries were there"):
        audit.verify(lines[:4], key, head)
    with pytest.raises(AuditError, match="entry 2: another entry was here"):
        audit.verify(lines, key, Head(3, bytes(32)))


def test_a_stolen_log_cannot_be_written_anew(tmp_path: Path) -> None:
    """Whoever has the file and no key: all hashes made again, the signature only with a key of his own."""
    lines = filled(tmp_path)
    previous, forged = bytes(32), []
    for data in lines:
        entry, _ = audit.read(data)
        detail = entry.detail | ({"verb": "nothing"} if "verb" in entry.detail else {})
        told = Entry(entry.n, entry.epoch, entry.t, entry.utc, entry.who, entry.what, detail)
        forged.append(audit.line(OTHER, previous, told).encode())
        previous = audit.read(forged[-1])[1]
    with pytest.raises(AuditError, match="entry 0: the signature"):
        audit.verify(forged, KEY.public_key())
    assert audit.verify(forged, OTHER.public_key()).count == 6  # but then it is another gateway's, by its id


def test_hostile_texts_are_escaped_and_bounded(tmp_path: Path) -> None:
    writer = log(tmp_path)
    writer.append(HOSTILE, HOSTILE, **{f"{number}{HOSTILE}": HOSTILE for number in range(100)})
    writer.append("centre", "command")
    lines = kept(tmp_path)
    assert len(lines) == 3
    assert all(len(one) <= LINE_LIMIT_BYTES and one.isascii() and one.decode().isprintable() for one in lines)
    entry = json.loads(lines[1])
    assert entry["what"].startswith("a\r\nb\x1b[31mred\x7f\u202egnp.exe")
    assert (len(entry["who"]), len(entry["detail"])) == (200, 8)
    assert audit.verify(lines, KEY.public_key()).count == 3


def test_a_torn_last_line_is_kept_and_said(tmp_path: Path) -> None:
    lines = filled(tmp_path)
    part = tmp_path / "0.jsonl"
    torn = lines[5][:77]
    part.write_bytes(b"\n".join(lines[:5]) + b"\n" + torn)
    with pytest.raises(AuditError, match="entry 5: it was cut short"):
        audit.verify(kept(tmp_path), KEY.public_key())
    head = log(tmp_path).append("gateway", "start")
    assert audit.verify(kept(tmp_path), KEY.public_key()) == head
    said = audit.read(kept(tmp_path)[5])[0]
    assert (said.what, said.detail["bytes"], said.detail["begins"]) == ("torn", "77", torn.decode())
    assert (tmp_path / said.detail["file"]).read_bytes() == torn
    assert head.count == 7


@pytest.mark.parametrize("cut", [0, 1, 200, 500])
def test_a_part_in_any_state_goes_on(tmp_path: Path, cut: int) -> None:
    filled(tmp_path)
    part = tmp_path / "0.jsonl"
    part.write_bytes(part.read_bytes()[:cut] + bytes(300))
    head = log(tmp_path).append("gateway", "start")
    told = [audit.read(one)[0].what for one in kept(tmp_path)[-2:]]
    assert told[-1] == "start"
    assert b"torn" in kept(tmp_path)[-2]
    assert head.count > 0


def test_old_parts_give_way_and_that_is_said(tmp_path: Path) -> None:
    writer = log(tmp_path, limit_bytes=2000)
    heads = [writer.append("centre", "command", number=str(number)) for number in range(80)]
    lines = kept(tmp_path)
    head = audit.verify(lines, KEY.public_key())
    assert head == heads[-1]
    assert 0 < head.first < head.count
    assert len(list(tmp_path.glob("*.jsonl"))) == PARTS_COUNT
    assert audit.verify(lines, KEY.public_key(), heads[-9]) == head
    begins = next(index for index, one in enumerate(lines[1:], 1) if audit.read(one)[0].what == "part")
    with pytest.raises(AuditError, match=f"entry {head.first}: it was kept when the last part began"):
        audit.verify(lines[begins:], KEY.public_key())


def test_two_may_write_by_turns(tmp_path: Path) -> None:
    """The daemon and a person's command: one chain, whoever writes; nobody writes while another does."""
    one, other = log(tmp_path), Audit(Waiting(), tmp_path, KEY, 8, lambda: 0, lambda: None)
    for _ in range(3):
        one.append("gateway", "start")
        other.append("cli", "bundle")
    assert audit.verify(kept(tmp_path), KEY.public_key()).count == 7
    held = Disk().lock(tmp_path / "lock")
    with pytest.raises(BlockingIOError):
        one.append("gateway", "start")
    Disk().close(held)


def test_a_disk_that_refuses_tears_nothing_for_good(tmp_path: Path) -> None:
    class Full(Disk):
        def pwrite(self, fd: int, data: bytes, offset: int) -> int:
            if len(data) > 100:
                return super().pwrite(fd, data[:100], offset)
            raise OSError(28, "no space left on device")

    filled(tmp_path)
    with pytest.raises(OSError, match="no space"):
        Audit(Full(), tmp_path, KEY, 7, lambda: 0, lambda: None).append("gateway", "start")
    assert log(tmp_path).append("gateway", "start") == audit.verify(kept(tmp_path), KEY.public_key())


def test_the_command_proves_and_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "state"
    head = log(state / files.FOLDER).append("centre", "command", why="red \x1b[31m \u202e \x7f")
    gateway = gateway_id(KEY.public_key())
    wanted = ["audit", "verify", "--state", str(state), "--gateway", gateway, "--against", head.text()]
    assert main(wanted) == 0
    assert f"entries 0 to 1 hold, signed by gateway {gateway}" in capsys.readouterr().out
    assert main(["audit", "show", "--state", str(state)]) == 0
    shown = capsys.readouterr().out
    assert shown.replace("\n", "").isprintable()
    assert "\\u001b[31m" in shown
    (tmp_path / "log").write_bytes(files.kept(Disk(), state / files.FOLDER).replace(b'"command"', b'"commanD"'))
    for words, said in (
        (["audit", "verify", str(tmp_path / "log")], "error: entry 1: it was altered"),
        ([*wanted[:5], "x"], f"it is the log of gateway {gateway}"),
        ([*wanted[:-1], f"9:{head.text()[2:]}"], "entry 2: the log ends before it; 9 entries were there"),
        (["audit", "verify", "--state", str(tmp_path / "none")], "no audit log is here"),
    ):
        assert main(words) == 1
        assert said in capsys.readouterr().err
