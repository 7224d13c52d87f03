"""Key events to text: the layouts against what their keyboards print, and whatever is lost is seen."""

import pytest

from agent.ports.keys import ALTGR, CAPS_LOCK, DOWN, KEY, LAYOUTS, LOST, REPEAT, SYN, SYN_DROPPED, UP, Keys

SHIFT, CTRL, ENTER = 42, 29, 28


TYPING = [code for code in range(1, 90) if code != CAPS_LOCK]


def tap(code: int, *held: int) -> list[tuple[int, int, int]]:
    down = [(KEY, one, DOWN) for one in (*held, code)]
    up = [(KEY, one, UP) for one in (code, *held)]
    return [event for pair in (*down, *up) for event in (pair, (SYN, 0, 0))]


def typed(layout: str, *taps: list[tuple[int, int, int]]) -> str:
    keys = Keys(layout)
    return "".join(keys.feed(tap) for tap in taps)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_digits_and_letters_can_be_typed_on_every_layout(layout: str) -> None:
    keys = Keys(layout)
    plain = {keys.feed(tap(code)) for code in TYPING}
    shifted = {keys.feed(tap(code, SHIFT)) for code in TYPING}
    third = {keys.feed(tap(code, ALTGR)) for code in TYPING}
    wanted = {chr(code) for code in range(0x21, 0x7F)}
    assert wanted <= plain | shifted | third


def test_us() -> None:
    assert typed("us", tap(27), tap(46, SHIFT), tap(2), tap(9), tap(11), tap(ENTER)) == "]C180\n"
    assert typed("us", tap(12), tap(53, SHIFT), tap(16), tap(57)) == "-?q "


def test_french_digits_are_the_shifted_ones() -> None:
    assert typed("fr", *(tap(code, SHIFT) for code in range(2, 12))) == "1234567890"
    assert typed("fr", *(tap(code) for code in range(2, 12))) == "&é\"'(-è_çà"
    assert typed("fr", tap(12, ALTGR), tap(46, SHIFT), tap(2, SHIFT), tap(16), tap(30), tap(39)) == "]C1aqm"
    assert typed("fr", tap(7), tap(51, SHIFT), tap(52, SHIFT)) == "-./"


def test_german() -> None:
    assert typed("de", tap(10, ALTGR), tap(46, SHIFT), tap(2), tap(21), tap(44)) == "]C1zy"
    assert typed("de", tap(53), tap(8, SHIFT), tap(16, ALTGR), tap(86, ALTGR)) == "-/@|"


def test_the_keypad_types_digits_whatever_the_layout() -> None:
    for layout in LAYOUTS:
        assert typed(layout, *(tap(code) for code in (82, 79, 80, 81, 75, 76, 77, 71, 72, 73, 96))) == "0123456789\n"


def test_shift_is_held_until_it_is_let_go_and_either_will_do() -> None:
    keys = Keys("us")
    assert keys.feed([(KEY, 54, DOWN), (KEY, 30, DOWN), (KEY, 30, UP), (KEY, 30, DOWN), (KEY, 30, UP)]) == "AA"
    assert keys.feed([(KEY, 54, UP), *tap(30)]) == "a"


def test_caps_lock_turns_letters_round_and_leaves_digits() -> None:
    assert (
        typed("us", tap(CAPS_LOCK), tap(30), tap(30, SHIFT), tap(2), tap(2, SHIFT), tap(CAPS_LOCK), tap(30)) == "Aa1!a"
    )


def test_a_group_separator_is_control_and_a_bracket() -> None:
    assert typed("us", tap(27, CTRL)) == "\x1d"
    assert typed("us", tap(2, CTRL)) == LOST


def test_nothing_is_lost_unseen() -> None:
    keys = Keys("us")
    assert keys.feed([(KEY, SHIFT, DOWN), (SYN, SYN_DROPPED, 0)]) == LOST
    assert keys.feed(tap(30)) == "a", "what was held when events were lost is not known"
    assert keys.feed([(KEY, 30, DOWN), (KEY, 30, REPEAT), (KEY, 30, UP)]) == "a" + LOST
    assert keys.feed(tap(59)) == LOST, "a function key"
    assert typed("fr", tap(41, SHIFT)) == LOST
    assert typed("us", tap(30, ALTGR)) == LOST


def test_what_is_no_key_is_no_text() -> None:
    assert (
        Keys("us").feed([(4, 4, 0x70004), (2, 0, 1), (17, 1, 1), (SYN, 0, 0), (KEY, SHIFT, REPEAT), (KEY, 69, DOWN)])
        == ""
    )
