"""Devices by radio, from the advertisement to the session, over real link, ATT and SMP layers on virtual time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bumble.hci import HCI_ErrorCode

from agent import window
from agent.ports.radio.air import Seen
from agent.ports.radio.host import CANDIDATES_LIMIT_COUNT
from agent.ports.radio.ladder import Rung
from agent.ports.radio.peer import LOST_BOND, REFUSED_PAUSE_S
from drivers import registry
from drivers.capture import full
from tests.radio.bed import OXIMETER, THERMOMETER, Bed, Device, named, saturation, temperature
from tests.radio.vtime import now, passing, run, until
from wire.records import Catalogue


def test_an_oximeter_that_is_allowed_is_heard_continuously(tmp_path) -> None:
    async def story():
        bed = Bed(tmp_path, [named(OXIMETER)])
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        async with bed.watched():
            took = await until(lambda: len(bed.readings()) >= 20)
            status = bed.radio.picture(0)
        device.switch_off()
        return took, bed, status

    took, bed, status = run(story())
    assert took < 15
    assert [reading.value for reading in bed.readings()[:4:2]] == [51, 52]
    assert bed.sessions() == ["open", "closed"]
    assert (status.state, status.devices[0].state, status.devices[0].why) == ("listening", "open", "configured")


def test_what_stands_beside_a_profile_is_read_and_what_is_not_there_is_passed_over(tmp_path) -> None:
    """The battery only tells and does not notify; there is no clock."""
    told = ((full("2a19"), b"\x5f"), (full("2a29"), b"Maker"), (full("2a25"), b"SN 7"))

    async def story():
        bed = Bed(tmp_path, [named(OXIMETER)])
        device = Device(bed.ether, replace(OXIMETER, told=told))
        await device.switch_on()
        async with bed.watched():
            await until(lambda: len(bed.readings()) >= 7)
            missing = bed.peer(OXIMETER).tally.missing
        device.switch_off()
        return bed, missing

    bed, missing = run(story())
    (catalogue, *_) = [one for one in reversed(bed.records) if isinstance(one, Catalogue)]
    assert (catalogue.maker, catalogue.serial, catalogue.model) == ("Maker", "SN 7", "")
    channels = {stream.stream: stream.channel for stream in catalogue.streams}
    said = [(channels[one.stream], one.value) for one in bed.readings()]
    assert said.count(("gatt_oximeter:battery", 95)) == 1
    assert ("spo2", 51) in said
    assert bed.sessions() == ["open", "closed"]
    assert missing == 6  # a battery that notifies, model, firmware, clock, and the way to stored measurements, twice


def test_a_thermometer_that_appears_for_five_seconds_is_heard(tmp_path) -> None:
    async def story():
        bed = Bed(tmp_path, [named(THERMOMETER, "gatt_thermometer")])
        device = Device(bed.ether, THERMOMETER, period_s=0)
        await device.start()
        async with bed.watched():
            await passing(30)
            for tenths in (366, 371):
                await device.show()
                took = await until(device.wants.is_set, 5)
                await device.say(THERMOMETER.characteristics[0], temperature(tenths))
                await device.hide()
                await device.drop()
                await passing(60)
        return took, bed

    took, bed = run(story())
    assert took < 5
    assert [str(reading.value) for reading in bed.readings()] == ["36.6", "37.1"]
    assert bed.sessions() == ["open", "closed"] * 2


def test_a_device_is_bonded_while_a_person_waits_and_known_ever_after(tmp_path) -> None:
    async def story():
        bed = Bed(tmp_path)
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        async with bed.watched():
            await passing(20)
            assert not device.is_connected
            (stranger,) = bed.radio.picture(0).strangers
            bed.open_window()
            await until(lambda: bed.readings(), 10)
            answer = window.read(bed.runtime)
        again = Bed(tmp_path, stack=bed.stack)
        async with again.watched():
            left = len(again.readings())
            await until(lambda: len(again.readings()) > left, 10)
            (known,) = again.radio.picture(0).devices
        device.switch_off()
        return stranger, answer, known

    stranger, answer, known = run(story())
    assert (stranger.driver, stranger.words) == ("gatt_oximeter", "not bonded here")
    assert answer == window.Window(0, f"gatt_oximeter at {OXIMETER.address} is bonded")
    assert (known.address, known.why, known.name) == (OXIMETER.address, "bonded here", "PLX 1")


def test_a_window_in_which_nobody_comes_is_shut(tmp_path) -> None:
    async def story():
        bed = Bed(tmp_path)
        async with bed.watched():
            bed.open_window(30)
            await passing(40)
            device = Device(bed.ether, OXIMETER)
            await device.switch_on()
            await passing(20)
            assert not device.is_connected
            device.switch_off()
        return window.read(bed.runtime)

    assert run(story()) == window.Window(0, "nobody was bonded")


def test_only_one_device_is_bonded_in_a_window(tmp_path) -> None:
    async def story():
        bed = Bed(tmp_path)
        devices = [Device(bed.ether, OXIMETER), Device(bed.ether, replace(OXIMETER, address="C0:11:11:11:11:09"))]
        for device in devices:
            await device.switch_on()
        async with bed.watched():
            bed.open_window()
            await passing(60)
            connected = [device.is_connected for device in devices]
        for device in devices:
            device.switch_off()
        return sorted(connected)

    assert run(story()) == [False, True]


async def bonded(bed: Bed, device: Device) -> None:
    """Bonded and heard."""
    bed.open_window()
    await until(lambda: bed.readings(), 10)
    assert bed.peer(device.face).known.bonded


def test_a_device_that_lost_its_bond_is_left_alone_until_a_person_bonds_it_again(tmp_path) -> None:
    async def story():
        bed = Bed(tmp_path)
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        async with bed.watched():
            await bonded(bed, device)
            await device.forget()
            await device.drop()
            await passing(REFUSED_PAUSE_S * 1.1)
            peer, heard = bed.peer(OXIMETER), len(bed.readings())
            (shown,) = bed.radio.picture(0).devices
            tried = peer.tally.refused
            assert not device.is_connected
            bed.open_window()
            took = await until(lambda: len(bed.readings()) > heard, 15)
        device.switch_off()
        return shown, tried, took, bed

    shown, tried, took, bed = run(story())
    assert took < 15
    assert (shown.state, shown.is_refused) == (LOST_BOND, True)
    assert 1 <= tried <= 2
    assert bed.stack.done == [f"remove {OXIMETER.address}"]
    assert all(count == 0 for rung, count in bed.host.ladder.taken.items() if rung is not Rung.RESCAN)


@pytest.mark.parametrize("address", ["C0:66:66:66:66:66", OXIMETER.address], ids=["name", "address"])
def test_a_rogue_with_a_cloned_name_or_address_is_not_heard(tmp_path, address: str) -> None:
    async def story():
        bed = Bed(tmp_path)
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        async with bed.watched():
            await bonded(bed, device)
            device.switch_off()
            await passing(20)
            heard = len(bed.readings())
            rogue = Device(bed.ether, replace(OXIMETER, address=address), value=lambda _: saturation(99))
            await rogue.switch_on()
            await passing(70)
            status = bed.radio.picture(0)
            assert len(bed.readings()) == heard
            rogue.switch_off()
        return status

    status = run(story())
    if address == OXIMETER.address:
        assert (status.devices[0].is_refused, status.devices[0].refused > 0) == (True, True)
        assert status.devices[0].refused <= 2
    else:
        assert [(one.address, one.words) for one in status.strangers] == [(address, "not bonded here")]
        assert status.strange_advertisements > 100


def test_a_passkey_of_the_configuration_is_used_and_a_wrong_one_bonds_nobody(tmp_path) -> None:
    shown = replace(OXIMETER, passkey="123456")

    async def story(folder, passkey: str):
        bed = Bed(folder, [named(OXIMETER, passkey=passkey)])
        device = Device(bed.ether, shown)
        await device.switch_on()
        async with bed.watched():
            bed.open_window(30)
            await passing(50)
            known = bed.peer(OXIMETER).known
        device.switch_off()
        return known.bonded

    assert run(story(tmp_path / "right", "123456"))
    assert not run(story(tmp_path / "wrong", "654321"))


def test_a_link_that_breaks_in_the_middle_is_made_again(tmp_path) -> None:
    async def story():
        bed = Bed(tmp_path, [named(OXIMETER)])
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        async with bed.watched():
            for _ in range(5):
                heard = len(bed.readings())
                await until(lambda heard=heard: len(bed.readings()) > heard + 4)
                await device.drop()
        device.switch_off()
        return bed

    bed = run(story())
    assert bed.sessions() == ["open", "closed"] * 5


def test_out_of_range_and_back(tmp_path) -> None:
    async def story():
        bed = Bed(tmp_path, [named(OXIMETER)])
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        async with bed.watched():
            await until(lambda: bed.readings())
            device.ether.leave(device.chip)
            await passing(100)
            assert bed.sessions() == ["open", "closed"]
            heard = len(bed.readings())
            device.ether.come_back(device.chip)
            took = await until(lambda: len(bed.readings()) > heard)
        device.switch_off()
        return took

    assert run(story()) < 15


def test_wrong_lengths_are_refused_and_the_rest_is_heard(tmp_path) -> None:
    async def story():
        bed = Bed(tmp_path, [named(OXIMETER)])
        device = Device(bed.ether, OXIMETER, period_s=0)
        await device.switch_on()
        async with bed.watched():
            await until(device.wants.is_set)
            for data in (saturation(95), b"", b"\x00", saturation(96) + b"\x01", saturation(97)[:4], saturation(97)):
                await device.say(OXIMETER.characteristics[0], data)
                await passing(1)
            (shown,) = bed.radio.picture(0).devices
        device.switch_off()
        return bed, shown

    bed, shown = run(story())
    assert [reading.value for reading in bed.readings()[::2]] == [95, 97]
    assert shown.bad_frames >= 3
    assert shown.is_open


def test_a_flood_of_advertisements_is_counted_and_costs_no_memory(tmp_path) -> None:
    from agent.ports.radio.strangers import REMEMBERED_LIMIT_COUNT

    async def story():
        bed = Bed(tmp_path, [named(OXIMETER)])
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        async with bed.watched():
            await until(lambda: bed.readings())
            for number in range(20_000):
                address = f"C0:{number >> 16:02X}:{number >> 8 & 255:02X}:{number & 255:02X}:00:00"
                bed.host.seen(Seen(address, "random", "PLX 1", frozenset(), -40, False))
            heard = len(bed.readings())
            await until(lambda: len(bed.readings()) > heard + 10, 15)
            status = bed.radio.picture(0)
        device.switch_off()
        return status

    status = run(story())
    assert status.strange_advertisements == 20_000
    assert status.strangers_forgotten == 20_000 - REMEMBERED_LIMIT_COUNT


@pytest.mark.parametrize(
    ("fault", "mend"),
    [("dead scan", ""), ("scan fails", "power"), ("wedged", "power"), ("deaf", "power"), ("daemon hangs", "restart")],
)
def test_the_ladder_mends(tmp_path, fault: str, mend: str) -> None:
    async def story():
        bed = Bed(tmp_path, [named(OXIMETER)])
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        async with bed.watched():
            await until(lambda: bed.readings())
            await device.hide()
            await device.drop()
            await passing(1)  # after each loss the scan is begun afresh
            bed.stack.faults |= {fault, "dead scan"} if fault == "scan fails" else {fault}
            await device.show()
            heard = len(bed.readings())
            await until(lambda: len(bed.readings()) > heard, 400)
            rungs = bed.radio.picture(0).rungs
        device.switch_off()
        return bed, rungs

    bed, rungs = run(story())
    assert not bed.stack.faults
    assert [word for word in bed.stack.done if word in ("power", "restart", "replug")] == ([mend] if mend else [])
    assert sum(rungs.values()) >= 1


def test_no_adapter_is_said_and_waited_for(tmp_path) -> None:
    async def story():
        bed = Bed(tmp_path, [named(OXIMETER)])
        bed.stack.faults.add("no adapter")
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        async with bed.watched():
            await passing(100)
            state = bed.radio.picture(0).state
            bed.stack.faults.clear()
            took = await until(lambda: bed.readings())
        device.switch_off()
        return state, took, bed

    state, took, bed = run(story())
    assert state == "there is no Bluetooth adapter"
    assert took < 20
    assert not bed.stack.done


def test_a_flood_in_an_open_window_is_tried_a_few_at_a_time_and_forgotten_with_it(tmp_path) -> None:
    async def story():
        bed = Bed(tmp_path)
        async with bed.watched():
            bed.open_window(30)
            await passing(2)
            for number in range(3000):
                address = f"C0:{number >> 8:02X}:{number & 255:02X}:00:00:00"
                bed.host.seen(Seen(address, "random", "PLX 1", frozenset([OXIMETER.service]), -40, False))
            most = len(bed.host.peers)
            await passing(60)
            return most, len(bed.host.peers), window.read(bed.runtime).said

    assert run(story()) == (CANDIDATES_LIMIT_COUNT, 0, "nobody was bonded")


def test_a_device_that_is_forgotten_is_heard_no_more(tmp_path) -> None:
    async def story():
        bed = Bed(tmp_path)
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        async with bed.watched():
            await bonded(bed, device)
            window.write(bed.runtime, window.Window(now(), forget=OXIMETER.address))
            await passing(5)
            said, heard = window.read(bed.runtime).said, len(bed.readings())
            await passing(60)
            assert len(bed.readings()) == heard
        device.switch_off()
        return said, Bed(tmp_path, ether=bed.ether).radio.known()

    assert run(story()) == (f"{OXIMETER.address} is forgotten", [])


def test_a_quiet_room_does_not_disturb_who_is_heard(tmp_path) -> None:
    async def story():
        bed = Bed(tmp_path, [named(OXIMETER)])
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        async with bed.watched():
            await passing(1200)
        device.switch_off()
        return bed

    bed = run(story())
    assert bed.sessions() == ["open", "closed"]
    assert not bed.stack.done


def test_a_driver_that_fails_is_counted_and_begun_again(tmp_path) -> None:
    class Failing(registry.driver("gatt_oximeter")):
        info = registry.driver("gatt_oximeter").info

        def on_bytes(self, data, at, source=""):
            raise ZeroDivisionError

    async def story():
        bed = Bed(tmp_path, [named(OXIMETER)], driver=lambda name: Failing)
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        with pytest.raises(AssertionError, match="ZeroDivisionError"):
            async with bed.watched():
                await passing(60)
        device.switch_off()
        return bed

    bed = run(story())
    assert 3 <= bed.supervisor.watched[0].failures <= 12


def cut_while_it_proves(bed: Bed, device: Device, times: int) -> None:
    """Its link breaks when it is asked to encrypt."""
    left, real = [None] * times, device.chip.on_le_encryption_request

    def cut(link, request) -> None:
        if left:
            left.pop()
            bed.ether.cut(device.chip, link, HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)
        else:
            real(link, request)

    device.chip.on_le_encryption_request = cut


def test_a_link_that_breaks_before_the_bond_is_proven_is_no_lost_bond(tmp_path) -> None:
    async def story():
        bed = Bed(tmp_path)
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        async with bed.watched():
            await bonded(bed, device)
            heard = len(bed.readings())
            cut_while_it_proves(bed, device, 2)
            await device.drop()
            took = await until(lambda: len(bed.readings()) > heard)
            tally = bed.peer(OXIMETER).tally
        device.switch_off()
        return took, tally

    took, tally = run(story())
    assert took < 20  # twice the limit for proving
    assert (tally.failures, tally.refused) == (2, 0)


def test_who_was_refused_is_bonded_again_though_it_did_not_answer_since(tmp_path) -> None:
    async def story():
        bed = Bed(tmp_path)
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        async with bed.watched():
            await bonded(bed, device)
            await device.forget()
            await device.drop()
            await until(lambda: bed.peer(OXIMETER).is_refused)
            bed.stack.failing_connects = 2
            await until(lambda: not bed.stack.failing_connects, 300)
            heard = len(bed.readings())
            assert bed.radio.picture(0).devices[0].state == LOST_BOND
            bed.open_window()
            await until(lambda: len(bed.readings()) > heard, 30)
        device.switch_off()

    run(story())
