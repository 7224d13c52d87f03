"""Status and metrics: what is wrong is named with what to do, and counters keep every digit."""

import re

import msgspec
import pytest

from agent.cli.entry import main
from agent.health import causes, metrics, status
from agent.health.status import ChainStatus, LinkStatus, PortStatus, SpoolStatus, Status, TaskStatus

PORT = PortStatus("/dev/ttyUSB0", "contec_v7", "open", 0.5, 60, 0, 0)
LINK = LinkStatus(True, "", "", 0, 10, 9, 8, 0, 0, {}, 0, 0.1, 0, {}, 0, 0)
CHAIN = ChainStatus("vital", 5, 600, 4_194_304, 8_388_608, 12.5)
WELL = Status(
    "0.1.0", "north", "g" * 20, "bed 3", 7, 1.8e9, 60.5, "ntp", [PORT], LINK,
    SpoolStatus([CHAIN], 60, "", 0, 0, 0, 0), [TaskStatus("data path", 0, "")],
)  # fmt: skip


def but(**given) -> Status:
    return msgspec.structs.replace(WELL, **given)


def port(**given) -> Status:
    return but(ports=[msgspec.structs.replace(PORT, **given)])


def test_nothing_is_wrong_with_what_is_well() -> None:
    assert causes.of(WELL, 1.0) == []
    assert status.summary(WELL) == "1 of 1 devices heard, sending, 5 envelopes not yet held, room for 12 h"


@pytest.mark.parametrize(
    ("now", "problem", "step"),
    [
        (port(state="cannot open: no such port"), "/dev/ttyUSB0: cannot open", "cable"),
        (port(heard_s=None, frames=0), "nothing is heard", "wardlink drivers contec_v7"),
        (port(heard_s=None, frames=0, skipped_bytes=9), "bytes come but no frame", "wardlink drivers contec_v7"),
        (but(link=msgspec.structs.replace(LINK, connected=False)), "no link: not connected", "stored here"),
        (
            but(link=msgspec.structs.replace(LINK, connected=False, problem="refused", hint="check")),
            "no link: refused",
            "check",
        ),
        (but(clock="unsynchronised"), "clock: unsynchronised", "NTP"),
        (but(spool=msgspec.structs.replace(WELL.spool, problem="disk full")), "storage: disk full", "card"),
        (but(spool=msgspec.structs.replace(WELL.spool, unread_files=2)), "2 files of the spool", "by itself"),
        (
            but(link=msgspec.structs.replace(LINK, receipts_refused={"signature": 2, "stale": 9})),
            "2 receipts or commands have no signature",
            "centre.pub",
        ),
        (but(tasks=[TaskStatus("port x", 3, "KeyError: 5")]), "port x failed 3 times: KeyError: 5", "log"),
    ],
)
def test_each_thing_that_is_wrong_is_named_with_what_to_do(now: Status, problem: str, step: str) -> None:
    ((_, what, next_step),) = causes.of(now, 1.0)
    assert problem in what
    assert step in next_step


def test_a_device_that_is_silent_by_nature_is_no_problem() -> None:
    assert causes.of(port(heard_s=900.0), 1.0) == []
    assert causes.of(port(heard_s=None, frames=5), 1.0) == []
    assert status.summary(port(heard_s=900.0)).startswith("0 of 1 devices heard")


def test_the_worst_comes_first() -> None:
    bad = but(
        clock="not set",
        link=msgspec.structs.replace(LINK, connected=False),
        spool=msgspec.structs.replace(WELL.spool, problem="disk full"),
    )
    found = [what.split()[0] for _, what, _ in causes.of(bad, status.STALE_S + 1)]
    assert found == ["the", "storage:", "no", "clock:"]


def test_a_status_comes_back(tmp_path) -> None:
    (tmp_path / status.STATUS_FILE).write_bytes(status.pack(WELL))
    assert status.read(tmp_path) == WELL
    (tmp_path / status.STATUS_FILE).write_bytes(b'{"version": 5}')
    with pytest.raises(msgspec.DecodeError):
        status.read(tmp_path)


SAMPLE = re.compile(
    r'wardlink_([a-z_]+)(\{[a-z]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z]+="(?:[^"\\\n]|\\["\\n])*")*\})? (\S+)'
)


def test_metrics_are_in_the_text_format() -> None:
    other = msgspec.structs.replace(PORT, path='quote" back\\slash\nline', frames=123_456_789)
    text = metrics.text(but(ports=[PORT, other]))
    assert text.endswith("\n")
    typed: list[str] = []
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name.removeprefix("wardlink_") not in typed
            assert kind == ("counter" if name.endswith("_total") else "gauge")
            typed.append(name.removeprefix("wardlink_"))
            continue
        found = SAMPLE.fullmatch(line)
        assert found, line
        assert found[1] == typed[-1], "all lines of one name stand together under its type"
        float(found[3])


def test_counters_keep_every_digit() -> None:
    text = metrics.text(port(frames=1_234_567_890))
    assert 'wardlink_frames_total{port="/dev/ttyUSB0",driver="contec_v7"} 1234567890\n' in text
    assert "wardlink_spool_room_seconds" in text
    assert "wardlink_heard_age_seconds" not in metrics.text(port(heard_s=None))


def test_what_was_refused_is_counted_by_reason() -> None:
    refused = {"receipts_refused": {"signature": 2, "stale": 1}, "commands_refused": {"replayed": 3}}
    text = metrics.text(but(link=msgspec.structs.replace(LINK, **refused, commands_taken=4, absent_envelopes=5)))
    for line in (
        'receipts_refused_total{reason="signature"} 2',
        'receipts_refused_total{reason="stale"} 1',
        'commands_refused_total{reason="replayed"} 3',
        "commands_taken_total 4",
        "envelopes_absent_total 5",
    ):
        assert f"wardlink_{line}\n" in text


def test_the_room_is_that_of_the_class_which_runs_out_first() -> None:
    def with_rooms(*hours: float | None) -> Status:
        chains = [msgspec.structs.replace(CHAIN, room_h=each) for each in hours]
        return but(spool=msgspec.structs.replace(WELL.spool, chains=chains))

    assert status.summary(with_rooms(900.0, 71.4, None)).endswith(", room for 71 h")
    assert status.summary(with_rooms(900.0, 0.0)).endswith(", room for 0.0 h")
    assert status.summary(with_rooms(None, None)).endswith(", room unknown")


def test_no_text_of_a_device_or_a_bed_is_in_the_metrics() -> None:
    assert "bed 3" not in metrics.text(WELL)


@pytest.mark.parametrize(
    ("source", "error_s", "words"),
    [
        ("mqtt", 0.0123, "clock: mqtt ± 0.012 s, grade A"),
        ("rtc", 61.0, "clock: rtc ± 61.000 s, grade D"),
        ("unsynchronised", None, "clock: unsynchronised, grade X"),
    ],
)
def test_the_page_says_the_gateways_own_time_with_its_grade(
    tmp_path, capsys, source: str, error_s: float | None, words: str
) -> None:
    now = msgspec.structs.replace(WELL, clock=source, clock_error_s=error_s)
    (tmp_path / status.STATUS_FILE).write_bytes(status.pack(now))
    main(["status", "--runtime", str(tmp_path)])
    assert words in capsys.readouterr().out
