"""The talk with the monitor: what is sent, when, and what never is; against a simulated monitor in virtual time."""

import random
from collections import defaultdict
from collections.abc import Sequence

import pytest

from agent.lab.voices.philips_intellivue import (
    GIVEN_UP,
    PhilipsIntelliVueVoice,
    attribute,
    listed,
    result,
    sized,
    words,
)
from drivers.contract import Alarm, DeviceTime, Identity, Numeric, Output, Send, Status, Wave
from drivers.devices.philips_intellivue import PhilipsIntelliVue
from drivers.philips import session
from drivers.philips.frames import cut_payload, framed
from drivers.philips.messages import Control, Created, Failed, Polled
from drivers.philips.session import Phase, Talk

SECOND_NS = 1_000_000_000
# As published by xeonfusion/VSCaptureMP (aarq_msg_wave_ext_poll2), which monitors in the field accept.
ASSOCIATION_REQUEST = (
    "0DFF01280508130100160102800014020002C1FF01163180A0808001010000A280A003000001A4803080020101060452010001308006025101"
    "000000003080020102060C2A8648CE14020100000001013080060C2A8648CE1402010000000201000000000000618030800201"
    "01A0806080A180060C2A8648CE14020100000003010000BE802880060C2A8648CE1402010000000101020102818200808000000040000000"
    "000000008000000020000000000000000002006400010028"
    "8000000000000FA0000005B0000005B0FFFFFFFF600000000001000CF00100088E00000000000000"
    "0102003400060030000100210000000100010006000000C9000100090000003C00010005000000100001002A0000000100010036"
    "0000000100000000000000000000000000000000"
)
INTRODUCTION = Created(1, True, 8000, ())
WAVES = Polled(9, 8000, b"", ())


def payload(data: bytes) -> str:
    found = cut_payload(bytearray(data))
    return getattr(found, "body", b"").hex().upper()


def sent(outputs: Sequence[Output]) -> list[bytes]:
    return [output.data for output in outputs if isinstance(output, Send)]


class Line:
    """The driver and a simulated monitor; `cut` loses what the host says."""

    def __init__(self) -> None:
        rng = random.Random(4)
        wanted = PhilipsIntelliVueVoice.wanted
        signals = {name: [rng.randint(w.low, w.high) for _ in range(997)] for name, w in wanted.items()}
        self.recorded: dict[str, list[int]] = defaultdict(list)
        self.voice = PhilipsIntelliVueVoice(signals, lambda channel, samples: self.recorded[channel].extend(samples))
        self.driver = PhilipsIntelliVue()
        self.outputs: list[tuple[int, Output]] = []
        self.cut = False

    def start(self) -> None:
        self._said(self.driver.on_open(0), 0)

    def run(self, start: int, end: int) -> None:
        now = start
        while True:
            wakes = [wake for wake in (self.voice.wake_at, self.driver.wake_at) if wake is not None]
            if not wakes or min(wakes) >= end:
                return
            now = max(now, min(wakes)) + 1
            if self.voice.wake_at is not None and self.voice.wake_at <= now:
                self._said(self.driver.on_bytes(self.voice.on_time(now), now), now)
            if self.driver.wake_at is not None and self.driver.wake_at < now:
                self._said(self.driver.on_time(now), now)

    def _said(self, outputs: list[Output], now: int) -> None:
        self.outputs += [(now, output) for output in outputs]
        for data in sent(outputs):
            assert data in self.driver.info.sends
            if not self.cut:
                self._said(self.driver.on_bytes(self.voice.on_bytes(data, now), now), now)

    def heard(self, channel: str) -> list[int]:
        waves = [said for _, said in self.outputs if isinstance(said, Wave) and said.channel == channel]
        return [sample for wave in waves for sample in wave.samples]

    def of(self, kind: type[Output]) -> list[Output]:
        return [said for _, said in self.outputs if isinstance(said, kind)]


@pytest.fixture
def line() -> Line:
    made = Line()
    made.start()
    return made


def test_the_association_request_is_the_one_that_works() -> None:
    assert payload(session.ASSOCIATE) == ASSOCIATION_REQUEST


def test_every_request_is_what_the_guide_says() -> None:
    assert payload(session.NUMERICS_FOR_A_WHILE) == (
        "E10000020001002800010007002200210000000000000000F13B0014000100010006000000010008F13E00040003A980"
    )
    assert payload(session.NUMERICS_ONCE) == "E10000020001001C000400070016002100000000000000000C1600080004000100060000"
    assert payload(session.INTRODUCTION_RESULTS[1]) == "E10000020002001400010001000E002100000000000ABD000D060000"
    assert payload(session.EXPORT_WAVES) == (
        "E10000020001003600070005003000210000000000000000000100220000F23A001C00060018"
        "0002010000024BB400024A1400024A1000025000000250AC"
    )


def test_nothing_clinical_is_on_the_allow_list() -> None:
    """Actions are polls only, the one set is the export list, and no poll asks for the patient (class 002A)."""
    commands = [payload(data) for data in session.SENDS]
    assert all(payload(data) for data in session.SENDS)
    invokes = [data for data in commands if data.startswith("E10000020001")]
    assert {data[20:24] for data in invokes} == {"0007", "0005"}
    assert {data[48:52] for data in invokes if data[20:24] == "0007"} == {"0C16", "F13B"}
    assert {data[64:68] for data in invokes if data[20:24] == "0007"} == {"0006", "0009", "0036", "0021"}
    assert [data[60:64] for data in invokes if data[20:24] == "0005"] == ["F23A"]
    assert {data[:2] for data in commands} == {"0D", "0A", "E1"}, "no release, no abort"


def test_sixty_seconds_lose_no_sample(line: Line) -> None:
    line.run(0, 60 * SECOND_NS)
    for channel, wanted in line.voice.wanted.items():
        assert line.heard(channel) == line.recorded[channel]
        assert len(line.recorded[channel]) == 234 * 256 * wanted.rate // 1000
        firsts = [(w.first, len(w.samples)) for w in line.of(Wave) if isinstance(w, Wave) and w.channel == channel]
        assert [first for first, _ in firsts[1:]] == [first + size for first, size in firsts[:-1] if first is not None]
    assert {wave.scale.unit for wave in line.of(Wave) if isinstance(wave, Wave)} == {"mV", "1"}
    assert line.driver.counts.bad == line.driver.counts.skipped == 0
    assert len([said for said in line.of(Numeric) if isinstance(said, Numeric) and said.channel == "ecg.hr"]) == 58
    assert [said.phase for said in line.of(Alarm) if isinstance(said, Alarm)] == ["on", "off"]
    assert line.of(Identity) == [Identity("Philips", "M8000"), Identity("Philips", "M8000", "DE00000001")]
    assert len(line.of(Status)) == 3, "the time of the cuff, once for each of its numbers"
    times = [said.ticks for said in line.of(DeviceTime) if isinstance(said, DeviceTime) and said.ticks is not None]
    assert times == sorted(set(times))
    assert session.EXPORT_WAVES not in sent([said for _, said in line.outputs])


def test_a_monitor_without_a_list_of_waves_is_given_one(line: Line) -> None:
    line.voice.exports = False
    line.run(0, 20 * SECOND_NS)
    assert sent([said for _, said in line.outputs]).count(session.EXPORT_WAVES) == 1
    assert line.heard("ecg.ii") == line.recorded["ecg.ii"]
    assert len(line.recorded["ecg.ii"]) > 13 * 250


def test_when_the_host_falls_silent_so_does_the_monitor(line: Line) -> None:
    line.run(0, 20 * SECOND_NS)
    line.cut = True
    line.run(20 * SECOND_NS, 60 * SECOND_NS)
    count = len(line.recorded["ecg.ii"])
    assert 27 * 250 < count < 31 * 250
    assert line.voice.wake_at is None
    line.cut = False
    line.run(60 * SECOND_NS, 90 * SECOND_NS)
    assert len(line.recorded["ecg.ii"]) > count + 25 * 250
    assert line.heard("ecg.ii") == line.recorded["ecg.ii"]


def woken(talk: Talk) -> tuple[int, list[bytes]]:
    assert talk.wake_at is not None
    now = talk.wake_at + 1
    return now // SECOND_NS, sent(list(talk.wake(now)))


def opened() -> Talk:
    talk = Talk()
    assert sent(list(talk.open(0))) == [session.ASSOCIATE]
    return talk


def polling() -> Talk:
    talk = opened()
    list(talk.hear(INTRODUCTION, 0))
    return talk


def test_an_unanswered_request_is_repeated() -> None:
    talk = opened()
    assert woken(talk) == (5, [session.ASSOCIATE])
    assert woken(talk) == (10, [session.ASSOCIATE])


def test_an_acceptance_waits_for_the_introduction_and_does_not_wait_for_ever() -> None:
    talk = opened()
    assert list(talk.hear(Control(0x0E), SECOND_NS)) == []
    assert talk.phase is Phase.ACCEPTED
    assert woken(talk) == (6, [session.ASSOCIATE])


def test_an_introduction_is_answered_before_the_polls() -> None:
    talk = opened()
    said = sent(list(talk.hear(INTRODUCTION, SECOND_NS)))
    assert said == [session.INTRODUCTION_RESULTS[1], *session.RENEWED]
    again = sent(list(talk.hear(Created(9, True, 8000, ()), SECOND_NS)))
    assert again[0] == session.INTRODUCTION_RESULTS[9]
    assert session.INTRODUCTION_RESULTS[1] not in sent(list(talk.hear(Created(1, False, 8000, ()), SECOND_NS)))


def test_an_acceptance_that_comes_again_changes_nothing() -> None:
    talk = polling()
    before = talk.wake_at
    assert list(talk.hear(Control(0x0E), SECOND_NS)) == []
    assert (talk.phase, talk.wake_at) == (Phase.POLLING, before)


@pytest.mark.parametrize(("kind", "after"), [(0x0C, 10), (0x19, 3), (0x0A, 10), (0x09, 10)])
def test_refused_given_up_and_released_lead_to_a_new_request(kind: int, after: int) -> None:
    talk = polling()
    answer = sent(list(talk.hear(Control(kind), 0)))
    assert answer == ([session.RELEASE_RESULT] if kind == 0x09 else [])
    assert woken(talk) == (after, [session.ASSOCIATE])


def test_classes_that_stay_silent_are_polled_singly_too() -> None:
    talk = polling()
    list(talk.hear(Polled(6, 8000, b"", ()), SECOND_NS))
    assert woken(talk)[1] == [*session.RENEWED, session.PRODUCTION_ONCE, session.ALARMS_ONCE]
    list(talk.hear(Failed(1, 9), 4 * SECOND_NS))
    assert woken(talk)[1] == [*session.RENEWED, session.EXPORT_WAVES, session.NUMERICS_ONCE]
    assert woken(talk)[1] == [*session.RENEWED, session.NUMERICS_ONCE, session.ALARMS_ONCE]


def test_a_silent_monitor_is_asked_again() -> None:
    talk = polling()
    seconds = [woken(talk) for _ in range(4)]
    assert [second for second, _ in seconds] == [3, 6, 9, 12]
    assert seconds[3][1] == [session.ASSOCIATE]


def test_data_of_an_association_we_did_not_make_are_taken_and_kept_coming() -> None:
    talk = opened()
    assert list(talk.hear(WAVES, SECOND_NS)) == []
    second, said = woken(talk)
    assert (second, said[:3]) == (1, list(session.RENEWED))
    assert talk.phase is Phase.POLLING


def test_the_driver_hears_an_abort_on_the_line() -> None:
    driver = PhilipsIntelliVue()
    driver.on_open(0)
    assert driver.on_bytes(framed(GIVEN_UP), 7) == []
    assert driver.wake_at == 3 * SECOND_NS + 7


def test_handles_mean_nothing_after_the_monitor_introduces_itself_anew(line: Line) -> None:
    line.run(0, 5 * SECOND_NS)
    driver, voice = line.driver, line.voice
    again = driver.on_bytes(voice.on_bytes(session.ASSOCIATE, 5 * SECOND_NS), 5 * SECOND_NS)
    assert not any(isinstance(said, Identity) for said in again), "the same monitor, its serial number still known"
    array = words(0x0102, 0) + sized(words(*range(8)))
    said = words(2, 1) + bytes(4) + b"\xff" * 8 + words(1, 9, 0)
    said += listed(words(0, 1) + sized(words(0x02CA) + listed(attribute(0x096E, array))))
    outputs = driver.on_bytes(result(2, words(0x21, 0, 0, 0xF13B) + sized(said)), 5 * SECOND_NS)
    assert [wave.scale.unit for wave in outputs if isinstance(wave, Wave)] == [""]
