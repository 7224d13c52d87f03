"""What chronyd, timesyncd and the kernel say of a clock, and what is believed of it.

The lines of chronyc were recorded from chronyd 4.3 (Debian 12); those of timesyncd are made by the rules of its
D-Bus interface.
"""

import json

import pytest

from discipline import chrony, kernel, machine, timesyncd
from discipline.kernel import Kernel
from discipline.machine import Found

SYNCED = (
    "7F000001,127.0.0.1,4,1795351852.093567735,-0.000001020,0.000000251,0.000004676,"
    "-0.279,0.005,0.582,0.000005777,0.000003101,1.0,Normal\n"
)
NOBODY = (
    "00000000,,0,0.000000000,0.000000000,0.000000000,0.000000000,"
    "0.000,0.000,0.000,1.000000000,1.000000000,0.0,Not synchronised\n"
)
LOCAL = (
    "7F7F0101,,3,1795351894.586329279,0.000000000,0.000000000,0.000000000,"
    "0.000,0.000,0.000,0.000000000,0.000000000,0.0,Normal\n"
)
FAR = SYNCED.replace("0.000005777", "0.040").replace("0.000003101", "0.0015").replace("-0.000001020", "-0.000012345")
ARRIVED = 1_795_305_600_000_000


def ntp_message(**given) -> str:
    said = {
        "leap": 0, "version": 4, "mode": 4, "stratum": 2, "precision": -25, "delay": 40_000, "dispersion": 1_500,
        "ref": [192, 168, 0, 1], "origin": ARRIVED - 30_000, "received": ARRIVED - 16_000, "sent": ARRIVED - 15_000,
        "arrived": ARRIVED, "spike": False, "count": 3, "jitter": 700,
    }  # fmt: skip
    return json.dumps({"type": "(uuuuittayttttbtt)", "data": list((said | given).values())})


def test_chrony_is_believed_with_its_root_distance() -> None:
    assert chrony.error_us(SYNCED) == 8
    assert chrony.error_us(FAR) == 12 + 1500 + 20_000 + 1


@pytest.mark.parametrize(
    "text",
    [
        NOBODY,
        LOCAL,
        "",
        "506 Cannot talk to daemon\n",
        FAR.replace("0.040", "x"),
        FAR.replace("0.040", "-1"),
        FAR.replace("0.040", "inf"),
        FAR.replace("0.040", "nan"),
    ],
)
def test_chrony_that_follows_nobody_says_nothing(text: str) -> None:
    assert chrony.error_us(text) is None


def test_timesyncd_is_believed_with_all_that_its_answer_leaves_open() -> None:
    fresh = timesyncd.error_us(ntp_message(), ARRIVED, 250)
    assert fresh == 20_000 + 1_500 + 14_500 + 700 + 250 + 1
    assert timesyncd.error_us(ntp_message(), ARRIVED + 2048_000_000, 250) == fresh + 204_800


@pytest.mark.parametrize(
    "given",
    [
        {"count": 0},
        {"spike": True},
        {"leap": 3},
        {"stratum": 0},
        {"stratum": 16},
        {"arrived": ARRIVED + 9},
        {"origin": ARRIVED},
    ],
)
def test_timesyncd_without_a_good_answer_says_nothing(given) -> None:
    assert timesyncd.error_us(ntp_message(**given), ARRIVED, 0) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"type":"s","data":"x"}', '{"type":"(uuuuittayttttbtt)","data":[]}'])
def test_what_is_no_answer_of_timesyncd_says_nothing(text: str) -> None:
    assert timesyncd.error_us(text, ARRIVED, 0) is None


def look(answers: dict, state: Kernel) -> Found:
    return machine.look(lambda: ARRIVED, lambda command: answers.get(command[0]), lambda: state)


def test_who_keeps_the_clock_is_asked_before_the_kernel(monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(timesyncd, "RUNS", tmp_path / "timesync")
    assert look({}, Kernel(1234, 0)) == Found("kernel", 1234)
    assert look({}, Kernel(None, 0)) == Found("", None)
    assert look({"chronyc": FAR}, Kernel(0, 0)) == Found("chrony", 21_513)
    assert look({"chronyc": NOBODY}, Kernel(1234, 0)) == Found("chrony", None)


def test_the_kernels_zero_is_not_believed_of_timesyncd(monkeypatch, tmp_path) -> None:
    (tmp_path / "timesync").mkdir()
    monkeypatch.setattr(timesyncd, "RUNS", tmp_path / "timesync")
    assert look({}, Kernel(0, 0)) == Found("timesyncd", None)
    assert look({"busctl": ntp_message()}, Kernel(0, 9)) == Found("timesyncd", 36_710)
    assert look({"busctl": ntp_message()}, Kernel(None, 9)) == Found("timesyncd", None), "somebody stepped the clock"


def test_the_machine_answers_whoever_it_is() -> None:
    """The real kernel, and whatever programs are here: something of the right shape, and no exception."""
    found = machine.look(lambda: ARRIVED)
    assert found.by in ("", "kernel", "chrony", "timesyncd")
    assert kernel.state().left_us >= 0
    assert machine.run(("false",)) is None
    assert machine.run(("no-such-program-here",)) is None
    assert machine.run(("echo", "x")) == "x\n"
