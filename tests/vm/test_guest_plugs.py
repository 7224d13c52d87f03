"""Adapters plugged into real sockets of a real kernel, and the real gateway under systemd that nobody told of them."""

from functools import partial

import pytest

from tests.system.bell import until
from tests.vm.bedside import Bedside, do
from tests.vm.plugs import judge, twin
from tests.vm.usbip import has_port, place

NINE = [9600, 8, "N", 1]
MASIMO = {"story": "masimo_ascii1/rad8-2018", "line": NINE}
BERRY = {"story": "berry_bci/made-by-rule", "line": [115200, 8, "N", 1]}
CONTEC = {"story": "contec_v5/made-by-rule", "line": [19200, 8, "O", 1]}
NELLCOR = {"story": "nellcor_n560/bedside", "line": NINE}
FOUND_S = 45.0
BLINKS = 8


def heard(bedside: Bedside) -> list[tuple[str, str]]:
    """(driver, place) of each session that has a reading."""
    return [(one.driver, one.port) for one in bedside.spooled.sessions if one.readings]


@pytest.mark.parametrize(
    ("driver", "device"),
    [("masimo_ascii1", MASIMO), ("berry_bci", BERRY), ("contec_v5", CONTEC), ("nellcor_n560", NELLCOR)],
)
def test_whoever_is_plugged_in_is_understood(bus, bedside, driver, device) -> None:
    plugged = bus.do("plug", "one", socket=2, serial="WL000001", **device)
    bedside.until(lambda: heard(bedside), FOUND_S)
    assert heard(bedside) == [(driver, place(2))]
    print(f"{driver}: first durable reading after {bedside.spooled.sessions[0].first - plugged['at']:.2f} s")
    echo = bus.do("look", "one")["heard"]  # until the port is set the kernel itself echoes: docs/vm.md
    more = bedside.spooled.sessions[0].readings + 5
    bedside.until(lambda: bedside.spooled.sessions[0].readings >= more)
    assert bus.do("look", "one")["heard"] == echo, "something is sent to a device that was found by listening"


def test_twins_with_one_serial_number_keep_their_places(bus, bedside) -> None:
    bus.do("plug", "one", socket=1, serial="A50285BI", **MASIMO)
    bus.do("plug", "two", socket=4, serial="A50285BI", **BERRY)
    bedside.until(lambda: len(heard(bedside)) == 2, FOUND_S)
    assert sorted(heard(bedside)) == [("berry_bci", place(4)), ("masimo_ascii1", place(1))]
    bus.do("unplug", "one")
    bus.do("unplug", "two")
    bedside.until(lambda: all(one.closed for one in bedside.spooled.sessions))
    until(lambda: {1, 4} <= set(bus.do("free")))
    bus.do("plug", "two", socket=4, serial="A50285BI", **BERRY)  # the other first: the kernel's names change hands
    bus.do("plug", "one", socket=1, serial="A50285BI", **MASIMO)
    bedside.until(lambda: len(heard(bedside)) == 4, FOUND_S)
    assert sorted(heard(bedside)[2:]) == [("berry_bci", place(4)), ("masimo_ascii1", place(1))]


@pytest.mark.parametrize("more", ["", "interval_s = 4"], ids=["each second", "looks seldom"])
def test_a_hub_that_blinks_gives_names_anew_and_nobody_is_mistaken(bus, bedside) -> None:
    """Two fast devices are understood sooner than the gateway looks for what is plugged in where."""
    lanes = [twin(1), twin(3)]
    for turn in range(BLINKS):
        for lane in lanes if turn % 2 else reversed(lanes):
            bus.do("plug", lane.name, socket=lane.socket, serial="TWIN", **lane.device)
            until(partial(has_port, lane.socket))  # else names go by socket, whoever came first
        more = len(heard(bedside)) + 2
        bedside.until(lambda more=more: len(heard(bedside)) >= more, FOUND_S)
        for lane in lanes:
            bus.do("unplug", lane.name)
        until(lambda: {1, 3} <= set(bus.do("free")))
    assert list(judge(bedside.spooled.sessions)) == []


def test_another_socket_is_another_place(bus, bedside) -> None:
    bus.do("plug", "one", socket=1, serial="WL000001", **MASIMO)
    bedside.until(lambda: len(heard(bedside)) == 1, FOUND_S)
    bus.do("unplug", "one")
    bedside.until(lambda: bedside.spooled.sessions[0].closed)
    bus.do("plug", "one", socket=5, serial="WL000001", **MASIMO)
    bedside.until(lambda: len(heard(bedside)) == 2, FOUND_S)
    assert heard(bedside) == [("masimo_ascii1", place(1)), ("masimo_ascii1", place(5))]


def test_another_device_at_the_same_cable_is_another_stream(bus, bedside) -> None:
    bus.do("plug", "one", socket=1, serial="WL000001", **MASIMO)
    bedside.until(lambda: len(heard(bedside)) == 1, FOUND_S)
    bus.do("play", "one", **BERRY)
    bedside.until(lambda: len(heard(bedside)) == 2, FOUND_S)
    assert heard(bedside) == [("masimo_ascii1", place(1)), ("berry_bci", place(1))]
    assert bedside.spooled.sessions[0].closed == "another device"


def test_a_device_that_nobody_knows_is_named_with_what_was_tried(bus, bedside) -> None:
    bus.do("plug", "one", socket=1, serial="WL000001")
    until(lambda: [row["state"] for row in bedside.devices()] == ["listening: nothing is heard"])
    noise = bytes(range(7, 250, 3)).hex()

    def unknown() -> bool:
        bus.do("say", "one", hex=noise, line=NINE)
        return any(row["state"].startswith("unknown device: it speaks") for row in bedside.devices())

    until(unknown, FOUND_S)
    words = do("wardlink", "devices")
    assert words.startswith("/dev/ttyUSB0")
    assert "unknown device: it speaks, but nobody understands it at 9600 8N1" in words
    assert bedside.tasks_failed() == 0
