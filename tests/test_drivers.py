"""The conformance suite: what every driver promises, tried on every driver with every capture (DESIGN 5).

What no device would say is tried in test_fuzz.py.
"""

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from drivers import capture, registry
from drivers.contract import Driver
from drivers.vocabulary import is_channel
from tests.fuzz.judge import judge
from tests.fuzz.life import streams

CAPTURES = sorted(Path(__file__).parent.glob("captures/*/*.cap"))
Chunk = tuple[int, bytes, str]


def stories() -> list[tuple[str, capture.Capture]]:
    return [(path.parent.name, capture.parse(path.read_text(encoding="utf-8"))) for path in CAPTURES]


STORIES = stories()
STORY_IDS = [f"{path.parent.name}/{path.stem}" for path in CAPTURES]


def told(driver: Driver, chunks: Iterable[Chunk], end: int) -> dict[str, list[object]]:
    """What was said, by channel, with neighbouring waves joined: the same for any chunking."""
    return streams(output for _, output in capture.play(driver, chunks, end))


def cuts(story: capture.Capture, seed: int) -> list[Chunk]:
    """The same bytes at the same times in other pieces; a notification is one piece by its nature."""
    rng = random.Random(seed)
    out: list[Chunk] = []
    for at, data, source in story.notified():
        start = 0
        while start < len(data):
            size = len(data) if source else 1 if seed == 0 else rng.randint(1, 40)
            out.append((at, data[start : start + size], source))
            start += size
    return out


@pytest.mark.parametrize(("driver_id", "story"), STORIES, ids=STORY_IDS)
def test_any_chunking_says_the_same(driver_id: str, story: capture.Capture) -> None:
    kind = registry.driver(driver_id)
    whole = kind(story.options)
    expected = told(whole, story.notified(), story.end)
    for seed in range(4):
        driver = kind(story.options)
        assert told(driver, cuts(story, seed), story.end) == expected, f"seed {seed}"
        assert driver.counts == whole.counts


@pytest.mark.parametrize(("driver_id", "story"), STORIES, ids=STORY_IDS)
def test_every_byte_is_accounted_for(driver_id: str, story: capture.Capture) -> None:
    driver = registry.driver(driver_id)(story.options)
    for _ in capture.play(driver, story.notified(), story.end):
        continue
    total = sum(len(data) for _, data in story.chunks())
    assert 0 <= driver.counts.skipped + driver.pending() <= total
    assert driver.counts.frames > 0, "a capture without one good frame proves nothing"


@pytest.mark.parametrize(("driver_id", "story"), STORIES, ids=STORY_IDS)
def test_says_only_what_it_declares(driver_id: str, story: capture.Capture) -> None:
    driver = registry.driver(driver_id)(story.options)
    for _, output in capture.play(driver, story.notified(), story.end):
        judge(driver, output)


@pytest.mark.parametrize("driver_id", registry.ids())
def test_public_description_is_whole(driver_id: str) -> None:
    kind = registry.driver(driver_id)
    info = kind.info
    assert info.models, "no models named"
    assert info.claims, "no line settings named"
    assert len(info.wiring) > 20, "no wiring for an engineer"
    assert all(is_channel(channel.rstrip("*") or "x:") or channel.endswith("*") for channel in info.emits)
    module = __import__(kind.__module__, fromlist=["x"])
    assert "Source:" in (module.__doc__ or ""), "the docstring names no source"
    assert vars(kind()).keys() == vars(kind()).keys()
