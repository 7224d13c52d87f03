"""Tests that need the guest are skipped outside of it."""

from __future__ import annotations

import os

import pytest

from tests.vm.bedside import Bedside, on_air
from tests.vm.talk import Player

GUEST = "WARDLINK_GUEST"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get(GUEST):
        return
    for item in items:
        if item.path.name.startswith("test_guest_"):
            item.add_marker(pytest.mark.skip(reason="only in the guest: make vm"))


@pytest.fixture
def bus(tmp_path):
    player = Player("tests.vm.usb", tmp_path)
    yield player
    player.end()


@pytest.fixture
def radio(tmp_path):
    """The emulated air; what bluetoothd knew of another air is forgotten."""
    player = on_air(tmp_path)
    yield player
    player.end()


@pytest.fixture
def more() -> str:
    """What a test adds to the gateway's configuration."""
    return ""


@pytest.fixture
def bedside(tmp_path, more):
    gateway = Bedside(tmp_path, more)
    gateway.start()
    yield gateway
    gateway.stop()
    print(gateway.log())  # shown where the test has failed
