"""What a spool on a real file system goes through before the power fails: a story told by its seed.

What the spool says is a mark, made before anything else is done; what is asked of it is one before it is asked:
["opens"], ["epoch", number], ["makes", epoch, [[class, next number], ..]], ["commit", [range, ..], [evicted, ..]],
["held", class, epoch, [[first, last], ..]], ["declared", [range, ..]], ["closed"]; range: [class, epoch, first, last].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

from agent.spool import Limits, Spool, Stored
from tests.crash.machine import sync_all
from tests.crash.witness import Witness, names

KIB, MIB = 1024, 1024 * 1024
Say = Callable[[list[Any]], object]


@dataclass(frozen=True)
class Story:
    """One disk, one way to use it. `most` frames in a commit; `scatters`: how often every second frame is held.

    The last five are chances of a step.
    """

    seed: str
    image_bytes: int
    limits: Limits
    quotas: dict[int, int]
    sizes_bytes: dict[int, int]
    most: int
    scatters: float
    holds: float
    saves: float
    declares: float
    syncs: float
    spares: float


def story(seed: int, number: int) -> Story:
    """Every eighth has segments of the real size; the others are small, so that a short life rolls many."""
    random = Random(f"{seed}/{number}")
    real = number % 8 == 7
    segment = 4 * MIB if real else random.choice([32, 32, 64, 128]) * KIB
    scale = segment // (32 * KIB)
    many = random.random() < 0.25  # small frames, so that the acknowledgements fill more than a sector
    return Story(
        seed=f"{seed}/{number}",
        image_bytes=(64 if real else 16) * MIB,
        limits=Limits() if real else Limits(segment_bytes=segment, body_bytes=min(segment // 4, MIB)),
        quotas={0: 2 * segment, 1: 2 * segment, 2: random.choice([2, 3, 4]) * segment},
        sizes_bytes={cls: size * scale // (20 if many else 1) for cls, size in enumerate((200, 900, 3500))},
        most=60 if many else 6,
        scatters=0.9 if many else 0.2,
        holds=random.choice([0.2, 0.5] if many else [0.0, 0.2, 0.5]),
        saves=random.choice([0.05, 0.3]),
        declares=random.choice([0.0, 0.1, 0.3]),
        syncs=random.choice([0.0, 0.05, 0.2]),
        spares=random.choice([0.0, 0.5, 1.0]),
    )


def body(sizes_bytes: dict[int, int], cls: int, epoch: int, seq: int) -> bytes:
    """From a third of the class's largest on, now and then next to nothing."""
    return _body(sizes_bytes[cls], cls, epoch, seq)


@lru_cache(256)
def _body(largest_bytes: int, cls: int, epoch: int, seq: int) -> bytes:
    random = Random(f"{cls}/{epoch}/{seq}")
    size = random.randint(0, 8) if seq % 11 == 10 else random.randint(largest_bytes // 3, largest_bytes)
    return random.randbytes(size)


class Start:
    """One start of a daemon that only has a spool."""

    def __init__(self, story: Story, folder: Path, random: Random, say: Say) -> None:
        self._story, self._folder, self._random, self._say = story, folder, random, say
        say(["opens"])
        self._spool = Spool.open(folder / "spool", story.quotas, None, random.randbytes(8), story.limits)
        self._following = dict.fromkeys(story.quotas, 0)
        say(["epoch", self._spool.epoch])

    def live(self) -> None:
        """Some steps, and half the time an end that the daemon chose itself."""
        story, random, spool = self._story, self._random, self._spool
        steps = [
            (story.saves, spool.save_acks),
            (story.holds, self._hold),
            (story.declares, self._declare),
            (story.syncs, lambda: sync_all(self._folder)),
            (story.spares, self._make_spare),
        ]
        for _ in range(random.randint(6, 16)):
            for _ in range(random.randint(1, story.most)):
                self._append(random.choice([0, 1, 1, 2, 2, 2]))
            self._commit()
            for chance, step in steps:
                if random.random() < chance:
                    step()
        if random.random() < 0.5:
            spool.close()
            self._say(["closed"])

    def _append(self, cls: int) -> None:
        seq = self._following[cls]
        self._following[cls] += 1
        data = body(self._story.sizes_bytes, cls, self._spool.epoch, seq)
        self._spool.append(Stored(cls, self._spool.epoch, seq // 8, seq, data))

    def _commit(self) -> None:
        self._say(["makes", self._spool.epoch, sorted(self._following.items())])
        done = self._spool.commit()
        lost = [[one.cls, one.epoch, one.first, one.last] for one in done.evicted]
        self._say(["commit", [list(one) for one in done.accepted], lost])

    def _make_spare(self) -> None:
        for _ in range(self._random.randint(1, 20)):
            if self._spool.wants_spare:
                self._spool.make_spare()

    def _hold(self) -> None:
        """The centre has the first so many of an epoch, or every second one of some."""
        tails = {**self._spool.tails(), **{(self._spool.epoch, c): n for c, n in self._following.items()}}
        (epoch, cls), tail = self._random.choice(sorted(tails.items()))
        if tail:
            last = self._random.randrange(tail)
            ranges = [(0, last)]
            if self._random.random() < self._story.scatters:
                ranges = [(seq, seq) for seq in range(self._random.randint(0, last), last + 1, 2)]
            self._say(["held", cls, epoch, ranges])
            self._spool.held(cls, epoch, ranges)

    def _declare(self) -> None:
        losses = self._spool.undeclared()
        self._append(0)
        self._commit()
        self._say(["declared", [[one.cls, one.epoch, one.first, one.last] for one in losses]])
        self._spool.declared(losses)


def heed(witness: Witness, mark: list[Any]) -> None:
    """One thing the spool said."""
    match mark:
        case ["epoch", number]:
            witness.opened(number)
        case ["makes", epoch, following]:
            witness.made |= {(cls, epoch): number for cls, number in following}
        case ["commit", accepted, _]:  # what was evicted must be said by whoever opens the folder again
            witness.accepted |= set().union(*(names(*one) for one in accepted))
        case ["held", cls, epoch, ranges]:
            witness.held |= set().union(*(names(cls, epoch, first, last) for first, last in ranges))
        case ["declared", losses]:
            witness.declared |= set().union(*(names(*one) for one in losses))
