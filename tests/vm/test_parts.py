"""What the guest is made of, tried without one."""

from __future__ import annotations

import struct

import pytest

from tests.vm import image, kernel, plugs
from tests.vm.debian import BuildError, digest
from tests.vm.far import Tale, tale
from tests.vm.ftdi import CHIP_BYTES, Chip, Line, baud_of
from tests.vm.spooled import Session
from tests.vm.spread import spread


@pytest.mark.parametrize(
    ("value", "index", "baud"),
    [
        (0x4138, 0, 9600),
        (0x809C, 0, 19200),
        (0x001A, 0, 115200),
        (0x4271, 0, 4800),
        (0, 0, 3_000_000),
        (1, 0, 2_000_000),
    ],
)
def test_a_divisor_means_a_speed(value, index, baud) -> None:
    assert abs(baud_of(value, index) - baud) <= baud * 0.002


def set_up(chip: Chip, request: int, value: int) -> None:
    assert chip.control(struct.pack("<BBHHH", 0x40, request, value, 0, 0)) == b""


def test_what_is_said_comes_in_packets_with_status_when_full_or_due() -> None:
    chip = Chip("A")
    set_up(chip, 3, 0x4138)
    set_up(chip, 4, 8)
    assert chip.packets(512, is_due=False) == b"\xb1\x60", "the modem's lines are news at first"
    chip.say(bytes(range(70)), Line(), is_read=True)
    assert chip.packets(64, is_due=False) == b"\xb1\x60" + bytes(range(62))
    assert chip.packets(512, is_due=False) == b"", "less than a packet waits for the latency timer"
    assert chip.packets(512, is_due=True) == b"\xb1\x60" + bytes(range(62, 70))


def test_another_setting_garbles_and_an_unread_chip_fills_up() -> None:
    chip = Chip("A")
    set_up(chip, 3, 0x001A)
    chip.say(b"NELLCOR", Line(), is_read=True)
    said = chip.packets(512, is_due=True)
    assert said[1] & 0x08, "a framing error"
    assert b"NELLCOR" not in said
    chip.say(bytes(CHIP_BYTES + 5), Line(115200), is_read=False)
    assert (chip.waiting_bytes, chip.lost_bytes) == (CHIP_BYTES, 5)
    set_up(chip, 0, 0)
    assert chip.waiting_bytes == 0, "the driver empties it when the port is opened"


def test_a_tale_begins_in_mid_frame_once() -> None:
    story = Tale(((0.0, b"half"), (1.0, b"one"), (2.0, b"two")), 2.0)
    assert [(story.due_s(number), story.piece(number)) for number in range(5)] == [
        (0.0, b"half"), (1.0, b"one"), (2.0, b"two"), (3.0, b"one"), (4.0, b"two"),
    ]  # fmt: skip


def test_a_tale_may_be_told_otherwise() -> None:
    story = tale("masimo_ascii1/rad8-2018", [("SN=0000000000", "SN=0000000007")])
    assert all(b"SN=0000000007" in data for _, data in story.chunks[1:])
    assert story.period_s == pytest.approx(3.0)


def test_a_reading_under_anothers_place_is_seen(monkeypatch) -> None:
    monkeypatch.setattr(plugs, "place", lambda socket: f"usb-1-{socket + 1}")
    right = Session(0, "masimo_ascii1", "usb-1-3", "0000000002", 0.0, values={"spo2": [92]})
    wrong = Session(1, "masimo_ascii1", "usb-1-3", "0000000004", 0.0, values={"spo2": [94]})
    assert list(plugs.judge([right])) == []
    assert len(list(plugs.judge([right, wrong]))) == 1


def test_only_what_is_pinned_goes_into_the_guest() -> None:
    pins = "# made by\na==1 \\\n    --hash=sha256:0\n    # via b\nb==2 \\\n    --hash=sha256:1\n"
    assert image.chosen(pins, ("b",)) == "b==2 \\\n    --hash=sha256:1\n"
    with pytest.raises(BuildError, match="does not pin c"):
        image.chosen(pins, ("c",))
    assert "msgspec==" in image.chosen(image.REQUIREMENTS.read_text(encoding="utf-8"), image.WHEELS)


def test_a_kernel_that_lacks_what_the_recipe_asks_for_is_refused() -> None:
    assert kernel.lacks("# why\nCONFIG_A=y\nCONFIG_B=y\n", "CONFIG_A=y\n# CONFIG_B is not set\n") == ["CONFIG_B=y"]


def test_a_given_kernel_must_be_there(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv(kernel.CACHED, str(tmp_path / "none.xz"))
    with pytest.raises(BuildError, match="not there"):
        kernel.kernel(tmp_path)


def test_figures_and_names() -> None:
    assert spread([]) == {"count": 0}
    assert spread([float(n) for n in range(1, 101)]) == {"count": 100, "p50_s": 51.0, "p95_s": 96.0, "max_s": 100.0}
    assert digest("a", "bc") != digest("ab", "c")
