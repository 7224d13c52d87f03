"""Topics: the one form there is, and everything else refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.topics import TOPIC_LIMIT_BYTES, WORDS, Address, Class, TopicError, everything, is_name, parse

NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=24)


@given(NAMES, NAMES, st.sampled_from(WORDS))
def test_what_is_written_is_read(site: str, gateway: str, word: str) -> None:
    topic = Address(site, gateway).topic(word)
    assert len(topic.encode()) <= TOPIC_LIMIT_BYTES
    assert parse(topic) == (Address(site, gateway), word)


def test_the_longest_names_still_fit() -> None:
    assert len(Address("s" * 24, "g" * 24).topic("receipt")) <= TOPIC_LIMIT_BYTES


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "wl/1/north/gw",
        "wl/1/north/gw/vital/more",
        "wl/1/north/gw/vital/",
        "/wl/1/north/gw/vital",
        "wl/2/north/gw/vital",
        "WL/1/north/gw/vital",
        "wl/1/north/gw/patient",
        "wl/1//gw/vital",
        "wl/1/north//vital",
        "wl/1/North/gw/vital",
        "wl/1/north/gw\n/vital",
        "wl/1/+/gw/vital",
        "wl/1/north/#",
        "wl/1/nörd/gw/vital",
        "wl/1/" + "s" * 25 + "/gw/vital",
        "$share/x/wl/1/north/gw/vital",
    ],
)
def test_what_is_no_topic_is_refused(topic: str) -> None:
    with pytest.raises(TopicError):
        parse(topic)


@given(st.text(max_size=40))
def test_any_text_is_a_topic_or_an_error_of_ours(text: str) -> None:
    try:
        address, word = parse(text)
    except TopicError:
        return
    assert address.topic(word) == text


@pytest.mark.parametrize("name", ["", "a b", "A", "a\n", "é", "a/b", "a_b", "x" * 25, "+", "#", "٣"])
def test_names_are_letters_digits_and_dashes(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(TopicError):
        Address(name, "gw")
    with pytest.raises(TopicError):
        Address("north", name)


def test_an_error_does_not_repeat_a_whole_hostile_topic() -> None:
    with pytest.raises(TopicError) as caught:
        parse("x" * 10_000)
    assert len(str(caught.value)) < 200


def test_classes_and_filters() -> None:
    assert [cls.word for cls in Class] == ["key", "vital", "wave"]
    assert [int(cls) for cls in Class] == [0, 1, 2]
    assert everything("vital") == "wl/1/+/+/vital"
    assert everything("key", "north") == "wl/1/north/+/key"
