"""A barcode reader that types: a USB keyboard of the real usbhid, taken for the gateway alone."""

import os
from pathlib import Path

import pytest

from tests.system.bell import until
from tests.vm.bedside import Bedside

EVENTS = "/dev/input/by-id/usb-Maker_Reader_K1-event-kbd"
PINNED = f'[[port]]\npath = "{EVENTS}"\ndriver = "barcode_reader"\noptions = {{ layout = "us" }}\n'
FOUND_S = 45.0


pytestmark = pytest.mark.skipif(
    not Path("/sys/bus/usb/drivers/usbhid").exists(), reason="this kernel was built without usbhid: build --fresh"
)


@pytest.fixture
def bed(tmp_path, bus):
    gateway = Bedside(tmp_path, tables=PINNED, groups="input")
    gateway.start()
    yield gateway
    gateway.stop()
    print(gateway.log())


def opened(bed: Bedside) -> bool:
    return any(row["path"] == EVENTS and row["state"] == "open" for row in bed.devices())


def test_a_scan_reaches_the_gateway_and_nobody_else(bus, bed) -> None:
    bus.do("keyboard", "k", socket=3, serial="K1")
    until(Path(EVENTS).exists, FOUND_S)
    until(lambda: opened(bed), FOUND_S)
    with Path(EVENTS).open("rb", buffering=0) as spy:
        bus.do("type", "k", text="PAT-000123\n")
        bed.until(lambda: len(bed.spooled.patients) == 1, FOUND_S)
        os.set_blocking(spy.fileno(), False)
        assert spy.read(24) is None, "somebody else heard the keys"
    bus.do("unplug", "k")
    until(lambda: not opened(bed), FOUND_S)
    bus.do("keyboard", "k", socket=3, serial="K1")
    until(lambda: opened(bed), FOUND_S)
    bus.do("type", "k", text="004711\n")
    bed.until(lambda: len(bed.spooled.patients) == 2, FOUND_S)
    assert len(set(bed.spooled.patients)) == 2
    assert all(one.startswith("p-") for one in bed.spooled.patients), "a number leaves as its pseudonym"
    assert (bed.tasks_failed(), bed.restarts()) == (0, 0)
