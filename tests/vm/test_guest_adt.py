"""What hears the hospital's system, as a unit: with `[patient.adt]` alone, in a cage, through its one door."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fuzz.adt import message
from tests.system.bell import until
from tests.vm.bedside import CONFIG, RUNTIME, Bedside, do
from tests.vm.cage import tried

ADT = "wardlink-adt.service"
PORT, PATIENCE_S = 2575, 90.0
TABLE = f"""
[patient.adt]
listen = "127.0.0.1:{PORT}"
peers = ["127.0.0.1"]
facility = "LOKOSSA"
place = "MED^12^3"
id_type = "MR"
"""
CAGE = {
    "open('/run/wardlink/status.json')": "EACCES",
    "__import__('socket').socket(__import__('socket').AF_UNIX).connect('/run/wardlink/bed.sock')": "EACCES",
    "__import__('socket').socket(__import__('socket').AF_UNIX).connect('/run/wardlink/adt.sock')": "done",
    "open('/etc/wardlink/gateway.toml')": "EACCES",
    "open('/etc/wardlink/keys/gateway.key')": "EACCES",
    "os.listdir('/var/lib/wardlink')": "EACCES",
    "__import__('socket').create_server(('127.0.0.1', 443))": "EPERM",
    "open('/dev/ttyS1', 'rb')": "ENOENT",
}


@pytest.fixture
def feed(tmp_path) -> Iterator[Bedside]:
    gateway = Bedside(tmp_path, tables=TABLE)
    gateway.start()
    do("systemctl", "start", ADT)
    yield gateway
    print(do("journalctl", "-u", ADT, "--no-pager", "-o", "cat"))
    do("systemctl", "stop", ADT)
    gateway.stop()


def answer(said: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", PORT), PATIENCE_S) as line:
        line.sendall(b"\x0b" + said + b"\x1c\r")
        heard = b""
        while not heard.endswith(b"\x1c\r"):
            heard += line.recv(4096) or pytest.fail(f"closed after {heard!r}")
    return heard


def is_listening() -> bool:
    return f":{PORT:04X} " in Path("/proc/net/tcp").read_text(encoding="ascii")


def test_an_admission_reaches_the_gateway_and_nobody_is_bound(feed: Bedside) -> None:
    until(is_listening, PATIENCE_S)
    assert b"MSA|AA|42" in answer(message())
    assert b"MSA|AR|43" in answer(message(control="43").replace(b"|P|", b"|T|"))
    with socket.socket(socket.AF_UNIX) as page:
        page.connect(str(RUNTIME / "bed.sock"))
        bed = json.loads(page.makefile("rb").readline())
    assert bed["adt"]["taken"] == 1
    assert bed["episode"]["method"] == "none"
    assert feed.restarts() == 0


def test_each_door_is_for_one(feed: Bedside) -> None:
    doors = {name: (RUNTIME / name).group() for name in ("bed.sock", "adt.sock")}
    assert doors == {"bed.sock": "wardlink-page", "adt.sock": "wardlink-adt"}
    assert dict(zip(CAGE, tried(ADT, list(CAGE)), strict=True)) == CAGE
    led = "__import__('socket').socket(__import__('socket').AF_UNIX).connect('/run/wardlink/{}')"
    assert tried("wardlink-led.service", [led.format("bed.sock"), led.format("adt.sock")]) == ["done", "EACCES"]
    assert tried("wardlink-page.service", [led.format("bed.sock"), led.format("adt.sock")]) == ["done", "EACCES"]


def test_without_a_feed_it_does_not_run(bedside) -> None:
    CONFIG.write_text(CONFIG.read_text().replace("[spool]", "# [patient.adt]\n[spool]"), encoding="utf-8")
    do("systemctl", "start", ADT)
    assert do("systemctl", "show", "-P", "ActiveState", ADT).strip() == "inactive"
    assert "exec-condition" in do("journalctl", "-u", ADT, "-n", "3", "-o", "cat", "--no-pager")
