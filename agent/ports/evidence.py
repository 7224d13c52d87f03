"""Whose bytes are these? All drivers that claim a line setting hear the same, and evidence decides. Pure.

A driver is convincing with three good frames (REQUIREMENTS NUR-03). Where no checksum protects them they must stand in
a row, with nothing between them; where some bring a check digit of their own, those alone count. What a checksum proves
goes before what only looks right; two that are equally good are rivals, and then nobody is chosen: a person must pin
one (DESIGN 5, rule 7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from drivers.contract import Integrity, Numeric, Output, Send, Wave

if TYPE_CHECKING:
    from drivers.lines import Kind

FRAMES = 3
PLAIN_BYTES = 40  # in a row, where nothing protects them
MARGIN = 10  # times as many bytes in good frames as a rival of the same rank that has not convinced yet
PIECE_BYTES = 8
STRAY_BYTES = 8  # fewer prove nothing: a plug being pushed in, the beginning of the next frame
RANK = {Integrity.NONE: 0, Integrity.SUM: 1, Integrity.CRC: 2}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`ids` has the one driver that is it; several that are equally good; or none, and then `near` has good frames.

    `proved` are those of `near` that have one with a right check. `frames` is how many good frames convinced, and
    `integrity` what protected them.
    """

    ids: tuple[str, ...] = ()
    near: tuple[str, ...] = ()
    proved: tuple[str, ...] = ()
    frames: int = 0
    integrity: Integrity = Integrity.NONE

    @property
    def is_sure(self) -> bool:
        return len(self.ids) == 1


class Ear:
    """One driver on trial. Who is asked for may send (`agent.ports.asking`): then `sends` gathers what it says."""

    def __init__(self, kind: Kind) -> None:
        self.driver = kind.unpinned()
        self.is_broken = False
        self.is_asked = False
        self.sends: list[Send] = []
        self.echoes = 0  # frames that are our own requests, come back: an adapter that echoes is no device
        self._heard_bytes = 0
        self._before: int | None = None  # bytes before the first good frame of the row
        self._frames = 0
        self._speaks = False
        self._was_long = False
        self._lost_bytes = 0  # before the last good frame

    def hear(self, data: bytes, now: int) -> None:
        """In small pieces, to see what stands between the frames."""
        for start in range(0, len(data), PIECE_BYTES):
            self._try(self._hear, data[start : start + PIECE_BYTES], now)

    def open(self, now: int) -> None:
        """It is asked for from now on."""
        self.is_asked = True
        self._try(self._open, b"", now)

    def woke(self, now: int) -> None:
        self._try(self._woke, b"", now)

    def _try(self, work: Callable[[bytes, int], None], data: bytes, now: int) -> None:
        """A driver that raises is out: its bug must not decide for others."""
        if self.is_broken:
            return
        try:
            work(data, now)
        except Exception:  # noqa: BLE001  whatever a driver's bug raises
            self.is_broken = True

    def _open(self, _: bytes, now: int) -> None:
        self._take(self.driver.on_open(now))

    def _woke(self, _: bytes, now: int) -> None:
        self._take(self.driver.on_time(now))

    def _hear(self, data: bytes, now: int) -> None:
        counts = self.driver.counts
        frames, skipped = counts.frames, counts.skipped
        self._take(self.driver.on_bytes(data, now))  # all of it: the driver counts as it goes
        self._heard_bytes += len(data)
        if counts.frames > frames:
            self._lost_bytes = counts.skipped
        if counts.skipped > skipped:  # a row has ended, if there was one
            self._frames, self._before = 0, None
        elif counts.frames > frames:
            self._before = self._heard_bytes - len(data) if self._before is None else self._before
            self._frames += counts.frames - frames
            self._was_long = self._was_long or self.explained_bytes >= PLAIN_BYTES

    def _take(self, said: Iterable[Output]) -> None:
        for one in said:
            if isinstance(one, Send):
                self.sends += [one] if self.is_asked else []
            elif isinstance(one, Numeric | Wave):
                self._speaks = True

    @property
    def integrity(self) -> Integrity:
        """What protects the frames that count: a check digit of their own, too."""
        own = self.driver.info.integrity
        return Integrity.SUM if own is Integrity.NONE and self.driver.counts.checked else own

    @property
    def rank(self) -> int:
        return RANK[self.integrity]

    @property
    def frames(self) -> int:
        """Good frames: all that are protected, or where nothing protects any those in a row."""
        counts = self.driver.counts
        protected = counts.checked if self.driver.info.integrity is Integrity.NONE else counts.frames
        found = protected if self.rank else self._frames
        return 0 if self.is_broken else max(0, found - self.echoes)

    @property
    def explained_bytes(self) -> int:
        """How much of what was heard stands in those."""
        unknown = self.driver.counts.skipped if self.rank else self._before
        return 0 if unknown is None else max(0, self._heard_bytes - unknown - self.driver.pending())

    @property
    def is_near(self) -> bool:
        """It understands, or did for so long that one damaged line says nothing against it."""
        return not self.is_broken and (self.frames > 0 or self._was_long)

    @property
    def is_awaited(self) -> bool:
        """It has a frame with a right check, not yet three, and nothing has come since that says against it."""
        if not self.rank or not 0 < self.frames < FRAMES:
            return False
        return self.driver.counts.skipped - self._lost_bytes + self.driver.pending() < STRAY_BYTES

    @property
    def is_convincing(self) -> bool:
        if self.frames < FRAMES:
            return False
        return self.rank > 0 or (self._speaks and self.explained_bytes >= PLAIN_BYTES)


class Trial:
    """The drivers of one line setting. `bytes` is what was heard at it."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self.ears = [Ear(kind) for kind in kinds]
        self.heard_bytes = 0

    def hear(self, data: bytes, now: int) -> Verdict:
        self.heard_bytes += len(data)
        for ear in self.ears:
            ear.hear(data, now)
        return self.verdict()

    @property
    def awaited(self) -> Ear | None:
        """Who spoke last, so far as a check can tell, and whose next frames are worth waiting for."""
        return max((ear for ear in self.ears if ear.is_awaited), key=lambda ear: ear.frames, default=None)

    def verdict(self) -> Verdict:
        near = [ear for ear in self.ears if ear.is_near]
        said = Verdict(near=_ids(near), proved=_ids(ear for ear in near if ear.rank))
        best = max((ear.rank for ear in self.ears if ear.is_convincing), default=None)
        if best is None:
            return said
        equals = [ear for ear in self.ears if ear.rank >= best and ear.frames]
        return self._decide([ear for ear in equals if ear.is_convincing], equals, said)

    def _decide(self, convincing: Sequence[Ear], equals: Sequence[Ear], said: Verdict) -> Verdict:
        if len(convincing) > 1:
            return replace(said, ids=_ids(convincing))
        (first,) = convincing
        rival = max((ear.explained_bytes for ear in equals if ear is not first), default=0)
        sure = first.explained_bytes > MARGIN * rival
        return replace(said, ids=_ids([first]), frames=first.frames, integrity=first.integrity) if sure else said


def _ids(ears: Iterable[Ear]) -> tuple[str, ...]:
    return tuple(ear.driver.info.id for ear in ears)
