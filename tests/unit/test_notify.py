"""What the service manager is told, over sockets as it makes them (sd_notify(3))."""

import socket
from pathlib import Path

import pytest

from agent.health import notify


@pytest.mark.parametrize("name", ["path", "abstract"])
def test_it_hears_each_word_as_a_datagram(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = str(tmp_path / "notify") if name == "path" else f"@{tmp_path}/notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(place.replace("@", "\0"))
        monkeypatch.setenv("NOTIFY_SOCKET", place)
        notify.ready("started")
        notify.progress("epoch 7")
        notify.stopping()
        heard = [manager.recv(4096) for _ in range(3)]
    assert heard == [b"READY=1\nSTATUS=started", b"WATCHDOG=1\nSTATUS=epoch 7", b"STOPPING=1"]


@pytest.mark.parametrize("place", [None, "", "vsock:2:1234"])
def test_where_nobody_asks_for_it_nothing_is_said(place: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    if place is None:
        monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    else:
        monkeypatch.setenv("NOTIFY_SOCKET", place)
    notify.ready("started")


def test_a_manager_that_is_gone_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    with pytest.raises(OSError, match="No such file"):
        notify.ready("started")
