"""The thief's and the stranger's tools themselves: they must be able to find."""

from __future__ import annotations

import hashlib
import socket
import struct
import subprocess
import sys
from pathlib import Path

from tests.image import luks, scan


def test_what_lies_across_two_pieces_is_found() -> None:
    wanted = {"one": b"canary", "other": b"nowhere"}
    assert luks.found([b"xxcan", b"aryxx"], wanted) == {"one"}
    assert luks.found([b"xxcan", b"", b"ary"], wanted) == {"one"}
    assert luks.found([b"xxcan", b"arry"], wanted) == set()


def test_a_raw_card_is_read_to_its_last_byte(tmp_path: Path) -> None:
    (tmp_path / "card").write_bytes(bytes(luks.STEP_BYTES - 3) + b"canary")
    assert luks.found(luks.raw(tmp_path / "card"), {"it": b"canary"}) == {"it"}


def test_af_splitting_is_undone() -> None:
    """LUKS1 1.2.3, AFsplit: the last stripe is chosen so that all of them come to the key."""
    key, stripes = bytes(range(64)), 5
    parts = [hashlib.sha512(bytes([number])).digest() for number in range(stripes - 1)]
    rest = luks.merged(b"".join(parts) + bytes(64), stripes, 64)
    last = bytes(a ^ b for a, b in zip(rest, key, strict=True))
    assert luks.merged(b"".join(parts) + last, stripes, 64) == key


def test_the_strangers_packets_hold_their_sums() -> None:
    syn = scan._syn(80)
    ends = socket.inet_aton(scan.STRANGER) + socket.inet_aton(scan.GATEWAY)
    assert scan._sum(ends + struct.pack(">BBH", 0, scan.TCP, len(syn)) + syn) == b"\0\0"
    assert scan._sum(scan._echo(1)) == b"\0\0"


def test_an_answer_is_sorted_by_what_it_says() -> None:
    stranger = scan.Stranger((0, 0))
    for flags, port in ((scan.SYN_ACK, 80), (scan.RST, 81)):
        stranger._heard(scan.TCP, struct.pack(">HHIIBBHHH", port, scan.FROM_PORT, 0, 0, 0x50, flags, 0, 0, 0))
    stranger._heard(scan.UDP, struct.pack(">HHHH", 53, scan.FROM_PORT, 8, 0))
    quoted = bytes(20) + struct.pack(">HHHH", scan.FROM_PORT, 67, 8, 0)
    stranger._heard(scan.ICMP, struct.pack(">BBHHH", 3, 3, 0, 0, 0) + quoted)
    stranger._heard(scan.ICMP, struct.pack(">BBHHH", 0, 0, 0, 0, 0))
    assert (stranger.opened, stranger.refused, stranger.spoke, stranger.echoes) == ({80}, {81}, {53, 67}, 1)


def test_no_scene_is_no_success() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.image", "-k", "rollback"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "no scene" in done.stderr
