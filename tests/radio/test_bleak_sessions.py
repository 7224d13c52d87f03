"""Whole sessions by radio over bleak: all is as on a gateway but bluetoothd, the bus and the adapter."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from bumble.hci import Address
from bumble.ll import AdvInd

from agent.lab.ether import Ether
from agent.lab.peripheral import _advertised
from agent.ports.radio.bluez import DEVICES_LIMIT_COUNT
from agent.ports.radio.strangers import REMEMBERED_LIMIT_COUNT
from drivers.bluetooth.records import RACP
from drivers.capture import full
from drivers.devices.polar_h10 import CONTROL, DATA, HEART_RATE, HEART_RATE_SENSOR
from tests.radio.bed import OXIMETER, Bed, Device, Face, named
from tests.radio.stack import Stack
from tests.radio.vtime import passing, run, until
from wire import codec
from wire.records import Block

STRAP = Face("C0:11:11:11:11:03", "Polar H10", HEART_RATE_SENSOR, (CONTROL, DATA, HEART_RATE))
MEASUREMENT, FEATURES = full("2a18"), full("2a51")
METER = Face("C0:11:11:11:11:04", "Meter", full("1808"), (MEASUREMENT, full("2a34"), RACP), told=((FEATURES, b"\0\0"),))
SINCE = 3  # the operator of a request: from this number on
REPORTED = bytes.fromhex("06000101")
FRAME_SAMPLES, FRAME_S = 73, 73 / 130
FLOOD = 1200


def ecg(number: int) -> list[int]:
    return [number * FRAME_SAMPLES + at - 5000 for at in range(FRAME_SAMPLES)]


def frame(number: int) -> bytes:
    """229 bytes: they need the large MTU."""
    head = b"\0" + (1_000_000_000 + int(number * FRAME_S * 1e9)).to_bytes(8, "little") + b"\0"
    return head + b"".join(sample.to_bytes(3, "little", signed=True) for sample in ecg(number))


def test_a_strap_is_heard_sample_by_sample_and_again_after_its_link_was_lost(tmp_path: Path) -> None:
    async def story():
        bed, asked, blocks = Bed(tmp_path, [named(STRAP, "polar_h10")]), [], []
        device = Device(bed.ether, STRAP, 0)
        device.wrote = lambda source, data: asked.append(source)
        await device.switch_on()
        async with bed.watched():
            for first in (0, 20):
                await until(lambda: asked)
                for number in range(first, first + 20):
                    await device.say(DATA, frame(number))
                    await passing(FRAME_S)
                records, said = bed.ward.take(0)
                bed.records += records
                blocks += said
                asked.clear()
                bed.ether.leave(device.chip)
                await until(lambda: not device.is_connected)
                bed.ether.come_back(device.chip)
            counts = bed.peer(STRAP).tally
        device.switch_off()
        return blocks, bed.sessions(), counts

    def samples(block: Block) -> list[int]:
        return codec.decode(block.coded, block.rows, block.count)[0].tolist()

    blocks, sessions, tally = run(story())
    assert [sample for block in blocks for sample in samples(block)] == [s for number in range(40) for s in ecg(number)]
    assert sessions == ["open", "closed"] * 2
    assert (tally.notes, tally.dropped_notes) == (40, 0)


class Meter(Device):
    """Keeps `count` measurements and reports those that are asked for. At `lost_at` its link is lost, once."""

    def __init__(self, ether: Ether) -> None:
        super().__init__(ether, METER, 0)
        self.count = 0
        self.lost_at: set[int] = set()
        self.reported = 0
        self.asked: list[bytes] = []
        self.wrote = self._ask

    def _ask(self, source: str, data: bytes) -> None:
        if source == RACP:
            self.asked.append(data)
            self._job = asyncio.ensure_future(self._report(int.from_bytes(data[3:], "little")))

    async def _report(self, first: int) -> None:
        for number in range(first, self.count):
            if number in self.lost_at:
                self.lost_at.discard(number)
                await self.drop()
                return
            head = b"\x02" + number.to_bytes(2, "little") + bytes.fromhex("EA070B140C0000")
            await self.say(MEASUREMENT, head + (0xB000 | 100 + number).to_bytes(2, "little") + b"\x11")
            await passing(0.05)
        await self.say(RACP, REPORTED)
        self.reported += 1

    async def appear(self, count: int) -> None:
        """It measured, and is there until it has reported."""
        self.count, self.reported = count, 0
        await self.show()
        await until(lambda: self.reported, 60)
        await passing(1)
        await self.hide()
        await self.drop()
        await passing(40)


async def appearances(folder: Path, lost_at: set[int]) -> tuple[Bed, Meter]:
    bed = Bed(folder, [named(METER, "gatt_glucose")])
    meter = Meter(bed.ether)
    meter.lost_at = lost_at
    await meter.start()
    async with bed.watched():
        await meter.appear(12)
        await meter.appear(20)
    meter.switch_off()
    return bed, meter


@pytest.mark.parametrize("lost_at", [set(), {5}, {0}, {3, 4, 5, 15}], ids=str)
def test_what_a_meter_keeps_is_said_once_over_two_appearances(tmp_path: Path, lost_at: set[int]) -> None:
    links = 2 + len(lost_at)
    bed, meter = run(appearances(tmp_path, lost_at))
    assert [int(one.value.scaleb(5)) for one in bed.readings()] == [100 + number for number in range(20)]
    assert bed.sessions() == ["open", "closed"] * links
    assert meter.asked[-1][1] == SINCE
    assert not bed.host.ladder.failed_rungs


def test_the_same_story_is_the_same_to_the_microsecond(tmp_path: Path) -> None:
    beds = [run(appearances(tmp_path / name, {5}))[0] for name in ("one", "other")]
    assert all(bed.readings() for bed in beds)
    assert beds[0].records == beds[1].records


def advertising(ether: Ether, number: int) -> None:
    address = Address(f"C0:{number >> 8:02X}:{number & 255:02X}:00:00:00")
    ether.send_advertising_pdu(None, AdvInd(address, bytes(_advertised(OXIMETER))))


def test_a_flood_in_the_air_is_counted_and_who_is_lost_in_it_is_found_again(tmp_path: Path) -> None:
    async def story():
        bed = Bed(tmp_path, [named(OXIMETER)])
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        async with bed.watched():
            await until(lambda: bed.readings())
            await device.drop()
            lost = len(bed.readings())
            for number in range(FLOOD):
                advertising(bed.ether, number)
                if number % 100 == 99:
                    await passing(0.3)
            await until(lambda: len(bed.readings()) > lost, 15)
            remembered, status = len(bed.host.air._devices), bed.radio.picture(0)
        device.switch_off()
        return remembered, status, len(bed.stack.kept) - 1

    remembered, status, strangers = run(story())
    assert FLOOD * 0.9 <= strangers <= FLOOD  # after a loss the scan is begun afresh, which misses some
    assert remembered == DEVICES_LIMIT_COUNT
    assert status.strangers_forgotten == strangers - REMEMBERED_LIMIT_COUNT
    assert status.strange_advertisements == 2 * strangers  # each with a scan response


@pytest.mark.parametrize("tells_again", [True, False], ids=["tells each", "tells once"])
def test_a_bonded_device_is_heard_again_after_bluetoothd_was_started_again(tmp_path: Path, tells_again: bool) -> None:
    """The bond is kept, the adapter is off, and nobody is the agent until the scan begins: it is bonded anew, too."""

    async def story():
        bed = Bed(tmp_path, stack=Stack(Ether(), tells_again))
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        async with bed.watched():
            for is_forgotten in (False, True):
                bed.open_window()
                await until(lambda: bed.readings() and bed.peer(OXIMETER).is_open)
                await bed.stack.restart()
                heard = len(bed.readings())
                await until(lambda heard=heard: len(bed.readings()) > heard, 60)
                if not is_forgotten:
                    await device.forget()
                    await device.drop()
                    await until(lambda: bed.peer(OXIMETER).is_refused)
        device.switch_off()
        return bed.peer(OXIMETER).tally.refused, bed.stack.done

    refused, done = run(story())
    assert refused >= 1
    assert done == [f"remove {OXIMETER.address}"]


def test_who_was_lost_is_found_at_once_by_an_adapter_that_tells_once(tmp_path: Path) -> None:
    """The scan is begun afresh after each loss, or it would be told again only when all had been silent for long."""

    async def story():
        bed = Bed(tmp_path, [named(OXIMETER)], stack=Stack(Ether(), tells_again=False))
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        took = []
        async with bed.watched():
            await until(lambda: bed.readings())
            for _ in range(5):
                heard = len(bed.readings())
                await device.drop()
                took.append(await until(lambda heard=heard: len(bed.readings()) > heard))
        device.switch_off()
        return took

    assert max(run(story())) < 5
