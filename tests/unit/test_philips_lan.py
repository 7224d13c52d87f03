"""IntelliVue on the network: the same words as on the serial line, out of datagrams, and the same requests bare."""

import random
from collections import defaultdict
from pathlib import Path

import pytest

from agent.lab.voices.philips_intellivue import GIVEN_UP, PhilipsIntelliVueVoice
from drivers import capture
from drivers.contract import Alarm, Driver, Numeric, Output, Send, Wave
from drivers.devices.philips_intellivue import PhilipsIntelliVue
from drivers.devices.philips_intellivue_lan import PhilipsIntelliVueLan
from drivers.philips import session
from drivers.philips.datagrams import PAYLOAD_LIMIT_BYTES, cut_message, payload_of
from drivers.philips.frames import Reader, framed

CAPTURES = Path(__file__).parents[1] / "captures"
SECOND_NS = 1_000_000_000


def bare(data: bytes) -> list[bytes]:
    """The payloads of whole frames."""
    return [payload_of(b"\xc0" + rest) for rest in data.split(b"\xc0")[1:]]


def said(driver: Driver, name: str) -> list[Output]:
    story = capture.parse((CAPTURES / name).read_text(encoding="utf-8"))
    return [one for _, one in capture.play(driver, story.chunks(), story.end) if not isinstance(one, Send)]


def test_an_m8000_says_the_same_with_and_without_frames() -> None:
    expected = said(PhilipsIntelliVue(), "philips_intellivue/m8000-first-frames.cap")
    assert said(PhilipsIntelliVueLan(), "philips_intellivue_lan/m8000-without-frames.cap") == expected
    assert sum(isinstance(one, Wave) for one in expected) > 5


def test_what_is_sent_is_what_goes_out_on_the_serial_line_without_its_frames() -> None:
    sends = PhilipsIntelliVueLan.info.sends
    assert {framed(data) for data in sends} == session.SENDS
    assert {data[0] for data in sends} == {0x0D, 0x0A, 0xE1}
    assert PhilipsIntelliVueLan().on_open(0) == [Send(payload_of(session.ASSOCIATE))]


def test_a_whole_talk_with_a_simulated_monitor() -> None:
    rng = random.Random(4)
    wanted = PhilipsIntelliVueVoice.wanted
    signals = {name: [rng.randint(w.low, w.high) for _ in range(997)] for name, w in wanted.items()}
    recorded: dict[str, list[int]] = defaultdict(list)
    heard: dict[str, list[int]] = defaultdict(list)
    voice = PhilipsIntelliVueVoice(signals, lambda channel, samples: recorded[channel].extend(samples))
    driver, told, now = PhilipsIntelliVueLan(), [], 0
    pending = driver.on_open(0)
    while now < 40 * SECOND_NS:
        now += 64_000_000
        answers = [voice.on_bytes(framed(one.data), now) for one in pending if isinstance(one, Send)]
        pending = []
        if voice.wake_at is not None and now >= voice.wake_at:
            answers.append(voice.on_time(now))
        for datagram in (payload for answer in answers for payload in bare(answer)):
            pending += driver.on_bytes(datagram, now)
        if driver.wake_at is not None and now > driver.wake_at:
            pending += driver.on_time(now)
        told += pending
    for one in told:
        if isinstance(one, Wave):
            heard[one.channel] += one.samples
    assert heard == recorded
    assert len(heard["ecg.ii"]) > 9000
    assert {type(one) for one in told} >= {Numeric, Alarm}
    assert driver.counts.bad == driver.counts.skipped == 0


def test_a_monitor_that_gives_the_association_up_is_asked_again() -> None:
    driver = PhilipsIntelliVueLan()
    driver.on_bytes(GIVEN_UP, 0)
    assert driver.wake_at == 3 * SECOND_NS
    assert driver.on_time(driver.wake_at + 1) == [Send(payload_of(session.ASSOCIATE))]


@pytest.mark.parametrize(
    "junk",
    [b"\x00", b"noise", b"\xe1\x00\x00\x03", bytes.fromhex("E100000200090004"), b"\x0c\x05\x99", b"\x0e\x02\xff"],
)
def test_junk_is_skipped_and_the_next_message_is_heard(junk: bytes) -> None:
    driver = PhilipsIntelliVueLan()
    driver.on_bytes(junk + GIVEN_UP, 0)
    assert (driver.counts.frames, driver.counts.skipped) == (1, len(junk))


def test_a_length_that_cannot_be_costs_its_own_bytes() -> None:
    driver = PhilipsIntelliVueLan()
    endless = bytes.fromhex("E10000020002") + (PAYLOAD_LIMIT_BYTES).to_bytes(2, "big")
    driver.on_bytes(endless + GIVEN_UP, 0)
    assert (driver.counts.frames, driver.counts.reasons) == (1, {"length": 1})
    driver.on_bytes(GIVEN_UP[:-1], 0)
    assert driver.pending() == len(GIVEN_UP) - 1


def test_long_headers_say_their_length_in_two_bytes() -> None:
    data = bytes.fromhex("0EFF0006051301020304")
    found = cut_message(bytearray(data + b"rest"))
    assert getattr(found, "size", None) == len(data)


def test_the_serial_reader_is_as_it_was() -> None:
    driver = PhilipsIntelliVue()
    driver.on_bytes(framed(GIVEN_UP), 0)
    assert (driver.counts.frames, len(Reader(driver.counts))) == (1, 0)
