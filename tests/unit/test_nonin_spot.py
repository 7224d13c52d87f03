"""nonin_spot against packets made by the rules of format 13."""

import random
from collections.abc import Iterable

import pytest

from drivers.contract import Counts, DeviceTime, Numeric, Output, Phase, Status, Why
from drivers.devices.nonin_spot import NoninSpot

TIME = bytes.fromhex("20141231143015")


def packet(
    spo2: int = 97, hr: int = 72, status: int = 0, second: int = 0, time: bytes = TIME, more: bytes = b""
) -> bytes:
    data = bytes((*time, 0, status, second, hr >> 8, hr & 0xFF, 0, spo2)) + more
    return b"\x00\x02\x00\x0d" + len(data).to_bytes(2, "big") + data + bytes((sum(data) & 0xFF, 3))


def heard(*packets: bytes) -> tuple[list[Output], NoninSpot]:
    driver = NoninSpot()
    return [out for data in packets for out in driver.on_bytes(data, 0)], driver


def numerics(said: Iterable[Output]) -> list[tuple[object, Why | None]]:
    return [(output.value, output.why) for output in said if isinstance(output, Numeric)]


def test_a_spot_check() -> None:
    said, driver = heard(packet())
    assert said == [DeviceTime("2014-12-31T14:30:15"), Numeric("spo2", 97, "%"), Numeric("spo2.pr", 72, "/min")]
    assert driver.counts == Counts(frames=1)


def test_the_same_packet_again_is_not_a_new_reading() -> None:
    said, driver = heard(packet(), packet(), packet(time=bytes.fromhex("20141231143016")), packet())
    assert len(numerics(said)) == 6
    assert driver.counts.frames == 4


@pytest.mark.parametrize(
    ("time", "iso"),
    [
        ("20141231143015", "2014-12-31T14:30:15"),
        ("140E0C1F0E1E0F", "2014-12-31T14:30:15"),
        ("14191231143015", ""),
        ("19141231143015", ""),
        ("20141331143015", ""),
        ("20141200143015", ""),
        ("2014123124300F", ""),
        ("14FF0C1F0E1E0F", ""),
    ],
)
def test_the_century_tells_how_the_date_is_written(time: str, iso: str) -> None:
    said, _ = heard(packet(time=bytes.fromhex(time)))
    assert [t.iso for t in said if isinstance(t, DeviceTime)] == [iso] * bool(iso)
    assert numerics(said) == [(97, None), (72, None)]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (packet(127, 511), [(None, Why.UNAVAILABLE)] * 2),
        (packet(status=1), [(None, Why.UNAVAILABLE)] * 2),
        (packet(101, 512), [(None, Why.INVALID)] * 2),
        (packet(0, 0), [(0, None)] * 2),
        (packet(100, 300), [(100, None), (300, None)]),
        (packet(more=bytes(50)), [(97, None), (72, None)]),
    ],
)
def test_numbers_at_their_edges(data: bytes, told: list[tuple[object, Why | None]]) -> None:
    assert numerics(heard(data)[0]) == told


@pytest.mark.parametrize(
    ("on", "code"),
    [
        (packet(status=1), "no-measurement"),
        (packet(status=2), "smart-point"),
        (packet(second=1), "low-battery"),
        (packet(second=0x10), "stored-data"),
    ],
)
def test_every_state_goes_on_and_off_once(on: bytes, code: str) -> None:
    said, _ = heard(packet(), on, on, packet())
    assert [s for s in said if isinstance(s, Status)] == [Status(code, Phase.ON), Status(code, Phase.OFF)]


def test_a_packet_from_memory_is_history() -> None:
    assert heard(packet(second=0x10))[0] == [Status("stored-data", Phase.ON)]


@pytest.mark.parametrize(
    ("at", "reason"), [(4, "length"), (5, "length"), (19, "checksum"), (20, "checksum"), (21, "end")]
)
def test_damage_is_refused_and_costs_no_good_packet(at: int, reason: str) -> None:
    bad = bytearray(packet())
    bad[at] ^= 0x40
    said, driver = heard(bytes(bad) + packet(96))
    assert numerics(said) == [(96, None), (72, None)]
    assert driver.counts == Counts(frames=1, bad=1, skipped=len(bad), reasons={reason: 1})


def test_noise_is_not_claimed_and_nothing_is_answered() -> None:
    assert heard(random.Random(2).randbytes(100_000))[0] == []
    assert NoninSpot.info.sends == frozenset()
