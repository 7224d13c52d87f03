"""The LED: each word has a rhythm of its own, with three colours or with one; what the kernel is told."""

from __future__ import annotations

import inspect
import itertools
import re
import socket
from pathlib import Path

import msgspec
import pytest

from agent.health import led, status
from agent.health.led import BLUE, DARK, GREEN, PATTERNS, WHITE
from agent.lighting import Light
from agent.page import state
from agent.page.state import Word
from config import codes
from tests.page.beds import KNOWN, NOW_NS
from tests.page.beds import status as status_of


def leds(folder: Path, *names: str, pattern: bool = True) -> Path:
    for name in names:
        one = folder / name
        one.mkdir(parents=True)
        (one / "max_brightness").write_text("255\n")
        (one / "trigger").write_text("none timer pattern [mmc0]\n" if pattern else "none timer [mmc0]\n")
        (one / "brightness").write_text("0\n")
    return folder


def colours(word: Word) -> list[int]:
    return [step.colour for step in PATTERNS[word]]


ROWS = {
    Word.STARTING: ({WHITE, DARK}, 3.0, 1),
    Word.NO_DEVICE: ({WHITE, DARK}, 5.0, 1),
    Word.WHO: ({WHITE, BLUE}, 1.2, 1),
    Word.SENDING: ({GREEN}, 1.0, 1),
    Word.STORING: ({BLUE, DARK}, 3.5, 1),
    Word.SILENT: ({BLUE, DARK}, 2.25, 2),
    Word.CONFLICT: ({WHITE, BLUE}, 0.24, 1),
    Word.ENGINEER: ({WHITE, DARK}, 2.7, 3),
}


@pytest.mark.parametrize("word", Word)
def test_each_row_of_the_table(word: Word) -> None:
    seen, period_s, lit = ROWS[word]
    assert set(colours(word)) == seen
    assert sum(step.ms for step in PATTERNS[word]) / 1000 == pytest.approx(period_s)
    assert sum(step.one for step in PATTERNS[word]) == lit


def test_words_and_patterns_are_the_same() -> None:
    assert set(PATTERNS) == set(Word)


def test_nothing_flashes_red_or_yellow() -> None:
    assert {step.colour for pattern in PATTERNS.values() for step in pattern} <= {DARK, WHITE, BLUE, GREEN}


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(Word, 2)))
def test_one_led_is_enough_to_tell_two_words_apart(one: Word, other: Word) -> None:
    def rhythm(word: Word) -> tuple[int, float, float]:
        steps = PATTERNS[word]
        lit = sum(step.ms for step in steps if step.one)
        return sum(step.one for step in steps), lit, sum(step.ms for step in steps) - lit

    a, b = rhythm(one), rhythm(other)
    assert a[0] != b[0] or any(max(x, y) >= 1.6 * min(x, y) for x, y in zip(a[1:], b[1:], strict=True))


def test_a_single_led_gets_a_rhythm_from_the_kernel(tmp_path) -> None:
    lamp = led.found(leds(tmp_path, "ACT", "PWR"))
    lamp.show(PATTERNS["silent"])
    assert (tmp_path / "ACT/trigger").read_text() == "pattern"
    told = (tmp_path / "ACT/pattern").read_text()
    assert told == "255 200 255 0 0 250 0 0 255 200 255 0 0 1600 0 0"
    lamp.show(PATTERNS["sending"])
    assert (tmp_path / "ACT/trigger").read_text() == "none"
    assert (tmp_path / "ACT/brightness").read_text() == "255"
    assert (tmp_path / "PWR/trigger").read_text().endswith("[mmc0]\n")


def test_three_leds_alternate_in_step(tmp_path) -> None:
    lamp = led.found(leds(tmp_path, "board:red:status", "board:green:status", "board:blue:status", "ACT"))
    lamp.show(PATTERNS["who"])
    red, green, blue = (tmp_path / f"board:{colour}:status" for colour in ("red", "green", "blue"))
    assert (red / "pattern").read_text() == (green / "pattern").read_text() == "255 600 255 0 0 600 0 0"
    assert (blue / "brightness").read_text() == "255"
    lamp.show(PATTERNS["sending"])
    assert [(one / "brightness").read_text() for one in (red, green, blue)] == ["0", "255", "0"]


def test_a_kernel_without_patterns_blinks_by_its_timer(tmp_path) -> None:
    lamp = led.found(leds(tmp_path, "led0", pattern=False))
    lamp.show(PATTERNS["no_device"])
    assert (tmp_path / "led0/trigger").read_text() == "timer"
    assert [(tmp_path / "led0" / name).read_text() for name in ("delay_on", "delay_off")] == ["150", "4850"]


def test_a_board_without_an_led_has_none(tmp_path) -> None:
    assert led.found(leds(tmp_path, "input3::capslock")) is None
    assert led.found(tmp_path / "none") is None
    assert led.found(tmp_path, "input3::capslock") is not None


def test_what_gateway_and_setup_say_is_shown(tmp_path) -> None:
    runtime = tmp_path / "run"
    runtime.mkdir()
    lamp = led.found(leds(tmp_path / "leds", "ACT"))
    light = Light(runtime, lamp)
    light.look(10 * 10**9)
    assert light.now.word is Word.STARTING
    (runtime / status.STATUS_FILE).write_bytes(status.pack(status_of()))
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(runtime / "bed.sock"))
        door.listen()
        light.look(NOW_NS)
        assert light.now.code == codes.BINDING
        there, _ = door.accept()
        there.sendall(b'{"said": "answer"}\n' + msgspec.json.encode(KNOWN) + b"\n")
        light.look(NOW_NS)
        assert light.now.word is Word.SENDING
        assert (tmp_path / "leds/ACT/brightness").read_text() == "255"
        there.close()
    (runtime / "bed.sock").unlink()
    (runtime / "setup.json").write_text('{"state": "failed", "code": 22}')
    light.look(NOW_NS)
    assert (light.now.word, light.now.code) == (Word.ENGINEER, codes.ROLLED_BACK)
    assert (tmp_path / "leds/ACT/pattern").read_text() == "255 200 255 0 0 250 0 0 " * 2 + "255 200 255 0 0 1600 0 0"


def test_the_numbers_of_the_page_are_those_of_the_table() -> None:
    theirs = {getattr(codes, name) for name in re.findall(r"codes\.([A-Z_]+)", inspect.getsource(state))}
    assert theirs == set(range(11, 20))
    assert theirs <= set(codes.MEANINGS)
