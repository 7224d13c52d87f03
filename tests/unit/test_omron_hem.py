"""omron_hem against records and answers of real monitors with the values their owners' programs logged beside them."""

from datetime import datetime

import pytest

from drivers.contract import Numeric, Output, Reached, Send, Status, Subscribe, Why
from drivers.devices.omron_hem import BEGIN, END, PATIENCE_NS, REQUESTS, TOKEN, TRIES_COUNT, UNLOCK, OmronHem
from drivers.omron.frames import ANSWERS, request, xor
from drivers.omron.memory import FITS, IRREGULAR, MAPS, clock, is_empty, map_of, newest_first, record
from tests.dated import times

KEY = "000102030405060708090a0b0c0d0e0f"
BEGUN, ENDED = bytes.fromhex("08800000001000") + b"\x98", bytes.fromhex("088F000000000087")
LOGGED = [  # the record, its order of bytes, systolic, diastolic, pulse rate, time: as eigger/hass-omron logged them
    ("6558541a331ade1800004c00ba00", "little", 126, 88, 84, "2026-06-17T19:35:30"),
    ("6457431a7316161c000046001900", "little", 125, 87, 67, "2026-05-19T19:48:22"),
    ("5f5a621a72198c1180000e00eb14", "little", 120, 90, 98, "2026-06-11T18:06:12"),
    ("645a611a7219041180000d006699", "little", 125, 90, 97, "2026-06-11T18:04:04"),
    ("735d471a68190e1380000c005fa0", "little", 140, 93, 71, "2026-06-11T08:12:14"),
    ("7d5d461a2b2541160000200000010200", "little", 150, 93, 70, "2026-09-09T11:25:01"),
    ("5b781a4819d71b42000014006996", "big", 145, 91, 72, "2026-06-14T23:45:02"),
]
SUMS = (  # more real records: of a HEM-7144T2 (little), a HEM-7322T-E and a HEM-6232T-E
    ("little", "624c5e199621d41a800001004bb4", "50453f19ae61c91a80200200817e", "5b474519ae611f1c804004000ef1"),
    ("big", "5867184a19711651007d5f80ad6e", "4f61184c197116b800636d807fbc", "607719455093124b2176b280fd3e"),
    ("big", "465f5a390fc718f60000009251ae", "4b6a5a3c122d1c9a000000b00ff0", "536e5a33122c1800000000aead52"),
)


def answer(address: int, data: bytes) -> bytes:
    frame = bytes((8 + len(data), 0x81, 0, address >> 8, address & 0xFF, len(data))) + data + b"\0"
    return frame + bytes((xor(frame),))


def heard(driver: OmronHem, frame: bytes, now: int = 0) -> list[Output]:
    """As later models answer: whole, on the first characteristic."""
    return list(driver.on_bytes(frame, now, ANSWERS[0]))


def asked(said: list[Output]) -> list[bytes]:
    return [one.data for one in said if isinstance(one, Send)]


def ready(reached: str = "", model: str = "HEM-7142T2") -> OmronHem:
    driver = OmronHem({"model": model})
    driver.reached = reached
    list(driver.on_open(0))
    assert asked(list(driver.on_bytes(b"\x91\0" + bytes(18), 0, UNLOCK))) == [BEGIN]
    assert asked(heard(driver, BEGUN)) == [request(map_of(model).settings, 16)]  # type: ignore[union-attr]
    return driver


@pytest.mark.parametrize(("text", "order", "systolic", "diastolic", "pulse", "when"), LOGGED)
def test_real_records_say_what_was_logged(text, order, systolic, diastolic, pulse, when) -> None:
    one = record(bytes.fromhex(text), order)
    assert (one.systolic, one.diastolic, one.pulse) == (systolic, diastolic, pulse)
    assert one.when is not None
    assert one.when.isoformat() == when
    assert one.is_sound
    assert one.flags == FITS


def test_the_sum_holds_in_every_real_record_and_sees_a_flipped_bit() -> None:
    for order, *texts in SUMS:
        for text in texts:
            data = bytearray.fromhex(text)
            assert record(bytes(data), order).is_sound  # type: ignore[arg-type]
            data[3] ^= 2
            assert not record(bytes(data), order).is_sound  # type: ignore[arg-type]


def test_irregular_pulse_of_a_real_record() -> None:
    assert record(bytes.fromhex(SUMS[0][2]), "little").flags == FITS | IRREGULAR


def test_real_clocks() -> None:
    assert clock(bytes.fromhex("1a06120e3509"), "little") == datetime(2026, 6, 18, 14, 53, 9)  # noqa: DTZ001
    assert clock(bytes.fromhex("061a120f1314"), "big") == datetime(2026, 6, 15, 18, 20, 19)  # noqa: DTZ001
    assert clock(bytes.fromhex("051a0a0e0806"), "big") == datetime(2026, 5, 14, 10, 6, 8)  # noqa: DTZ001
    assert clock(b"\xff" * 6, "big") is None


def test_slots_that_were_never_used() -> None:
    assert is_empty(bytes(14), "little")
    assert is_empty(b"\xff" * 14, "big")
    assert not is_empty(bytes.fromhex(LOGGED[0][0]), "little")


@pytest.mark.parametrize("slots", [1, 14, 30, 100])
@pytest.mark.parametrize("piece", [1, 3, 4])
def test_a_ring_is_read_backwards_every_slot_once(slots: int, piece: int) -> None:
    for following in range(slots + 2):
        order = [
            slot
            for first, count in newest_first(slots, following, piece)
            for slot in range(first + count - 1, first - 1, -1)
        ]
        last = (following - 1) % slots
        assert order == [(last - back) % slots for back in range(slots)]


def test_the_longest_name_gives_the_map() -> None:
    assert map_of("hem-7155t_esl1") is MAPS["HEM-7155T_ESL1"]
    assert map_of("HEM-7155T_ESL") is MAPS["HEM-7155T"]
    assert map_of("HEM-9999") is None


@pytest.mark.parametrize("one", MAPS.values())
def test_every_address_of_every_map_may_be_read(one) -> None:
    assert OmronHem.info.allows(request(one.settings, 16))
    assert OmronHem.info.allows(request(one.settings + one.clock, 6))
    for user in one.users:
        for first, count in newest_first(one.slots, 0, one.piece):
            assert OmronHem.info.allows(request(user + first * one.size, count * one.size))
    assert len(one.cursors) >= len(one.users)


def test_nothing_that_writes_is_allowed() -> None:
    """A write to the memory, whatever it holds; entering the programming of a key, and a key itself."""
    allows = OmronHem.info.allows
    for address in range(0, 0x2000, 2):
        for count in (0, 1, 2, 8, 16):
            head = bytes((8 + count, 1, 0xC0, address >> 8, address & 0xFF, count)) + bytes(count + 1)
            assert not allows(head + bytes((xor(head),)))
    assert not allows(b"\x02" + bytes(16))
    assert not allows(b"\x00" + bytes.fromhex(KEY))
    assert allows(b"\x01" + bytes.fromhex(KEY))
    for kind in range(0x10000):
        if kind not in (0x0000, 0x0100, 0x0F00):
            assert not any(
                allows(bytes((8, kind >> 8, kind & 0xFF, 2, 0x60, count, 0, xor(b"x")))) for count in (0, 16)
            )


def test_without_model_or_key_nothing_is_asked() -> None:
    for options, code in (
        ({}, "model-not-set"),
        ({"model": "M3"}, "model-not-set"),
        ({"model": "HEM-7322T"}, "key-not-set"),
    ):
        said = list(OmronHem(options).on_open(0))
        assert [one.code for one in said if isinstance(one, Status)] == [code]
        assert not asked(said)


def test_opening_subscribes_and_compares_the_key() -> None:
    said = list(OmronHem({"model": "HEM-7600T-E", "key": KEY}).on_open(0))
    assert said[:-1] == [Subscribe(one) for one in (*ANSWERS, UNLOCK)]
    assert said[-1] == Send(b"\x01" + bytes.fromhex(KEY), UNLOCK)
    assert asked(list(OmronHem({"model": "HEM-7142T2"}).on_open(0))) == [TOKEN]
    assert list(OmronHem({"model": "HEM-7146T2"}).on_open(0))[-1] == Send(BEGIN, REQUESTS)


def test_a_wrong_key_ends_the_visit() -> None:
    driver = OmronHem({"model": "HEM-7600T-E", "key": KEY})
    list(driver.on_open(0))
    said = list(driver.on_bytes(b"\x81\x01", 0, UNLOCK))
    assert [(one.code, one.text) for one in said if isinstance(one, Status)] == [("unlock-refused", "8101")]
    assert driver.wake_at is None


def test_what_was_said_once_is_not_said_again() -> None:
    newest, before = (bytes.fromhex(LOGGED[at][0]) for at in (2, 3))
    index = answer(0x260, (2).to_bytes(2, "little") + bytes(14))
    marks = []
    for reached, expected in (("", 2), (before.hex(), 1), (newest.hex(), 0)):
        driver = ready(reached)
        heard(driver, index)
        assert asked(heard(driver, answer(0x294, bytes.fromhex("1a060b120a00")))) == [request(0x2E8, 28)]
        said = heard(driver, answer(0x2E8, before + newest))
        while asked(said)[-1] != END:  # nothing is known behind slot 0, the ring goes on at its end
            said = heard(driver, answer(int.from_bytes(asked(said)[-1][3:5], "big"), b"\xff" * asked(said)[-1][5]))
        assert len(times(said)) == expected
        marks += [one.mark for one in said if isinstance(one, Reached)]
        values = [one for one in said if isinstance(one, Numeric)]
        assert all(one.why is None for one in values), "the clock is five minutes away"
        assert len(values) == 3 * expected
        assert heard(driver, ENDED) == []
        assert driver.wake_at is None
    assert marks == [newest.hex()] * 2


def test_a_clock_that_is_far_away_makes_history() -> None:
    driver = ready()
    heard(driver, answer(0x260, b"\1" + bytes(15)))
    heard(driver, answer(0x294, bytes.fromhex("1a060c120600")))
    said = heard(driver, answer(0x2E8, bytes.fromhex(LOGGED[2][0])))
    while asked(said)[-1] != END:
        said = heard(driver, answer(int.from_bytes(asked(said)[-1][3:5], "big"), b"\xff" * asked(said)[-1][5]))
    assert {one.why for one in said if isinstance(one, Numeric)} == {Why.NOT_UPDATED}


def test_a_refused_piece_leaves_the_users_measurements_for_another_visit() -> None:
    driver = ready(",abcd", "HEM-7380T1")
    heard(driver, answer(0x10, b"\x06\0\1\0" + bytes(12)))
    heard(driver, answer(0x44, bytes(6)))
    good = bytes.fromhex(LOGGED[5][0])
    said = heard(driver, answer(0x1F4, good * 3))
    refused = bytes((8, 0x81, 0, *asked(said)[0][3:6], 0xE3))
    said = heard(driver, refused + bytes((xor(refused),)))
    assert asked(said) == [request(0x804, 16)], "the second user's turn"
    said = heard(driver, answer(0x804, good))
    while asked(said)[-1] != END:
        said = heard(driver, answer(int.from_bytes(asked(said)[-1][3:5], "big"), b"\xff" * asked(said)[-1][5]))
    assert [one.mark for one in said if isinstance(one, Reached)] == ["," + good.hex()]
    assert [one.text for one in said if isinstance(one, Status) and one.code == "user"] == ["2"]


def test_silence_is_asked_again_and_then_said() -> None:
    driver = OmronHem({"model": "HEM-7146T2"})
    now, sent = 0, asked(list(driver.on_open(0)))
    while driver.wake_at is not None:
        assert driver.wake_at == now + PATIENCE_NS
        now = driver.wake_at
        said = list(driver.on_time(now))
        sent += asked(said)
    assert sent == [BEGIN] * TRIES_COUNT
    assert [one.code for one in said if isinstance(one, Status)] == ["no-answer"]


def test_a_general_refusal_ends_the_visit() -> None:
    driver = ready()
    assert [one.code for one in heard(driver, ENDED) if isinstance(one, Status)] == ["refused"]


def test_parts_that_prove_nothing_are_counted() -> None:
    driver = OmronHem({"model": "HEM-7322T", "key": KEY})
    list(driver.on_open(0))
    driver.on_bytes(b"\x40" + bytes(15), 0, ANSWERS[0])
    driver.on_bytes(bytes(16), 0, ANSWERS[2])
    driver.on_bytes(b"\x05", 0, ANSWERS[0])
    driver.on_bytes(b"\x10" + bytes(15), 0, ANSWERS[0])
    driver.on_bytes(b"abc", 0, "2a35")
    driver.on_bytes(b"\x55", 0, UNLOCK)
    assert driver.counts.reasons == {
        "order of parts": 1,
        "length": 1,
        "checksum": 1,
        "other characteristic": 1,
        "unknown answer": 1,
    }
    assert (driver.counts.frames, driver.pending(), driver.counts.skipped) == (0, 0, 16 + 16 + 1 + 16 + 3 + 1)
