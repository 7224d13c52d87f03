"""The conformance suite: what every driver promises, tried on every driver with every capture (DESIGN 5)."""

import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from drivers import capture, registry
from drivers.contract import Alarm, Driver, Numeric, Output, Send, Status, Wave
from drivers.vocabulary import is_channel

CAPTURES = sorted(Path(__file__).parent.glob("captures/*/*.cap"))
NOISE_BYTES = 20_000
Chunk = tuple[int, bytes, str]


def stories() -> list[tuple[str, capture.Capture]]:
    return [(path.parent.name, capture.parse(path.read_text(encoding="utf-8"))) for path in CAPTURES]


STORIES = stories()
STORY_IDS = [f"{path.parent.name}/{path.stem}" for path in CAPTURES]


def told(driver: Driver, chunks: Iterable[Chunk], end: int) -> dict[str, list[object]]:
    """What was said, by channel, with neighbouring waves joined: the same for any chunking."""
    streams: dict[str, list[object]] = {}
    for _, output in capture.play(driver, chunks, end):
        if isinstance(output, Wave):
            stream = streams.setdefault(f"wave {output.channel} {output.scale}", [])
            start = len(stream)
            stream.extend(output.samples)
            marks = streams.setdefault(f"marks {output.channel}", [])
            marks.extend((start + mark.at, mark.kind, mark.count) for mark in output.marks)
        else:
            streams.setdefault(type(output).__name__ + getattr(output, "channel", ""), []).append(output)
    return {name: said for name, said in streams.items() if said}


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


def checked(driver: Driver, output: Output) -> None:
    if isinstance(output, Numeric | Wave):
        assert is_channel(output.channel), output
        emits = driver.info.emits
        assert any(output.channel == e or (e.endswith("*") and output.channel.startswith(e[:-1])) for e in emits), (
            output
        )
    if isinstance(output, Alarm | Status):
        assert output.channel == "" or is_channel(output.channel)
    if isinstance(output, Wave):
        assert output.samples, "a wave without samples says nothing"
        assert all(isinstance(sample, int) for sample in output.samples[:8])
        assert all(0 <= mark.at < len(output.samples) for mark in output.marks)
    if isinstance(output, Send):
        assert driver.info.allows(output.data), f"{output.data.hex()} is not on the allow-list"


@pytest.mark.parametrize(("driver_id", "story"), STORIES, ids=STORY_IDS)
def test_says_only_what_it_declares(driver_id: str, story: capture.Capture) -> None:
    driver = registry.driver(driver_id)(story.options)
    for _, output in capture.play(driver, story.notified(), story.end):
        checked(driver, output)


@pytest.mark.parametrize("driver_id", registry.ids())
@pytest.mark.parametrize("seed", range(3))
def test_noise_never_raises_and_memory_is_bounded(driver_id: str, seed: int) -> None:
    rng = random.Random(f"{driver_id}{seed}")
    pieces = [one for name, story in STORIES if name == driver_id for one in story.notified()]
    driver = registry.driver(driver_id)(next(story.options for name, story in STORIES if name == driver_id))
    now = fed = 0
    list(driver.on_open(now))
    while fed < NOISE_BYTES:
        _, said, source = rng.choice(pieces)
        data = bytearray(said[: rng.randint(1, 2000)] if rng.random() < 0.7 else rng.randbytes(64))
        for _ in range(rng.randint(0, 3)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        now += rng.randint(0, 3_000_000_000)
        fed += len(data)
        for output in driver.on_bytes(bytes(data), now, source):
            checked(driver, output)
        if driver.wake_at is not None and driver.wake_at < now:
            for output in driver.on_time(now):
                checked(driver, output)
        assert driver.pending() <= 70_000
    assert driver.counts.skipped + driver.pending() <= fed


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
