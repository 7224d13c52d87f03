"""The search for whoever speaks on a line: which settings to listen at, for how long, and what to say meanwhile. Pure.

Nothing is sent while searching (REQUIREMENTS NUR-02). A line at the wrong speed still brings bytes, only no frames: the
settings are changed when bytes have come that nobody understands, at once where the adapter says that their stop or
parity bits are wrong. While nothing comes there is nothing to learn, and the port stays as it is; after a frame with a
right check, too, for a wristband reader or a cuff says one, and the next some minutes later. Times are monotonic
nanoseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from agent.ports.evidence import FRAMES, Trial, Verdict
from drivers.contract import Driver, Integrity, Serial

if TYPE_CHECKING:
    from drivers.lines import Kind, Shelved

SECOND_NS = 1_000_000_000
PATIENCE_NS = 1_200_000_000  # from the first byte at a setting, where nobody has found a frame: a line a second is slow
SLOW_NS = 6 * SECOND_NS  # where fewer than SLOW_BYTES came: three bytes a second are a device, too
SLOW_BYTES = 40
ENOUGH_BYTES = 600  # and then nobody will
MISREAD_BYTES = 8  # of which some had a wrong stop or parity bit
NEAR_NS = 8 * SECOND_NS  # where somebody has found one; since the last one, while few bytes come
NEAR_LIMIT_NS = 60 * SECOND_NS
UNKNOWN_NS = 20 * SECOND_NS  # NUR-01: then it is said that nobody knows this device
KEPT_LIMIT_BYTES = 262_144
K = TypeVar("K", bound="type[Driver] | Shelved")
PROOF = {
    Integrity.NONE: "one after the other; nothing protects them",
    Integrity.SUM: "each with its checksum",
    Integrity.CRC: "each with its CRC",
}


@dataclass(frozen=True, slots=True)
class Found:
    """This driver, at these settings, by so many good `frames`.

    `heard` is all that was read at them, with its times; where it was asked for, from the first request on, and no
    bytes mean that the driver's `on_time` was called.
    """

    kind: type[Driver]
    line: Serial
    heard: tuple[tuple[int, bytes], ...]
    frames: int = 0
    integrity: Integrity = Integrity.NONE
    is_asked: bool = False

    @property
    def why(self) -> str:
        """For a person."""
        by = "by asking" if self.is_asked else "by listening"
        return f"understood {by}: {self.frames} good frames at {self.line}, {PROOF[self.integrity]}"


class Seek:
    """`line` is how the port should be set now; `words` says how far it has come, for a person."""

    def __init__(self, kinds: Iterable[Kind], now: int, first: Serial | None = None) -> None:
        """`first`: the setting at which somebody was understood here before. Loaded are only drivers of `line`."""
        self._settings = sorted(settings_of(kinds), key=lambda setting: setting[0] != first)
        self._at = 0
        self._began = now
        self._first: int | None = None  # the first byte of all
        self._verdict = Verdict()
        self._tried: list[str] = []
        self._since: int | None = None  # the first byte at this setting
        self._grew: int | None = None
        self._enter()

    @property
    def line(self) -> Serial:
        return self._settings[self._at][0]

    @property
    def verdict(self) -> Verdict:
        return self._verdict

    def to_send(self) -> list[bytes]:
        """Nothing, ever: see `agent.ports.asking` for one who may."""
        return []

    @property
    def has_tried_all(self) -> bool:
        """Bytes came at every setting, and nobody understood them."""
        return len(self._tried) == len(self._settings)

    @property
    def tried(self) -> tuple[str, ...]:
        """The settings at which bytes came and nobody understood them."""
        return tuple(self._tried)

    def heard(self, data: bytes, now: int) -> Found | None:
        """Take what was read at `line`. Look at `line` afterwards: it may have changed."""
        self._first = now if self._first is None else self._first
        if self._since is None or self._trial.awaited:
            self._since, self._grew = now, None
        self._verdict = self._trial.hear(data, now)
        self._notice(now)
        self._keep(data, now)
        if self._verdict.is_sure:
            (who,) = self._verdict.ids
            kept = tuple(self._heard)
            return Found(self._kind(who), self.line, kept, self._verdict.frames, self._verdict.integrity)
        self.woke(now)
        return None

    @property
    def wake_at(self) -> int | None:
        """When this setting has had its time; None while there is nothing to learn."""
        return None if self._since is None or self._trial.awaited else self._since + self._patience()

    def woke(self, now: int) -> None:
        """Try the next setting, if this one has had its time."""
        if self._since is None or self._trial.awaited:
            return
        nobody = not self._verdict.near and self._trial.heard_bytes >= ENOUGH_BYTES
        if nobody or now - self._since >= self._patience():
            self._next()

    def misread(self, now: int) -> None:
        """The bits of what was heard do not fit this setting: it is given up, unless somebody found a frame at it."""
        if not self._verdict.near and self._trial.heard_bytes >= MISREAD_BYTES:
            self._next()

    def _next(self) -> None:
        self._note()
        self._at = (self._at + 1) % len(self._settings)
        self._enter()

    def words(self, now: int) -> str:
        """What a nurse or an engineer may know of it."""
        if self._first is None:
            return "listening: nothing is heard"
        if ear := self._trial.awaited:
            return f"{ear.driver.info.id} is understood: {ear.frames} of {FRAMES} good frames so far"
        if now - self._first < UNKNOWN_NS:
            return "listening"
        if len(self._verdict.ids) > 1:
            return f"{' and '.join(self._verdict.ids)} both understand it: pin one in the configuration"
        return f"unknown device: it speaks, but nobody understands it at {', '.join(self._tried)}"

    def _enter(self) -> None:
        self._trial = Trial(self._settings[self._at][1])
        self._heard: list[tuple[int, bytes]] = []
        self._kept_bytes = 0
        self._best = 0
        self._grew = None
        self._since = None

    def _notice(self, now: int) -> None:
        """A device may say three bytes a second: who finds one frame after the other goes on hearing them."""
        best = max((ear.frames for ear in self._trial.ears), default=0)
        if best > self._best and self._trial.heard_bytes < ENOUGH_BYTES:
            self._grew = now
        self._best = best

    def _patience(self) -> int:
        """Since the first byte at this setting, or after a silence in which somebody was awaited."""
        if not self._verdict.near:
            return SLOW_NS if self._trial.heard_bytes < SLOW_BYTES else PATIENCE_NS
        grew = 0 if self._grew is None or self._since is None else self._grew - self._since
        return min(grew + NEAR_NS, NEAR_LIMIT_NS)

    def _note(self) -> None:
        name = str(self.line)
        if name not in self._tried:
            self._tried.append(name)

    def _keep(self, data: bytes, now: int) -> None:
        """Within bounds: a device that nobody has understood for so long is not understood later."""
        self._heard.append((now, data))
        self._kept_bytes += len(data)
        while self._kept_bytes > KEPT_LIMIT_BYTES:
            self._kept_bytes -= len(self._heard.pop(0)[1])

    def _kind(self, driver_id: str) -> type[Driver]:
        return next(type(ear.driver) for ear in self._trial.ears if ear.driver.info.id == driver_id)


def settings_of(kinds: Iterable[K]) -> list[tuple[Serial, tuple[K, ...]]]:
    """Every line setting that a driver claims, with all who claim it; those of many drivers first."""
    found: dict[tuple[int, int, str, int], tuple[Serial, list[K]]] = {}
    for kind in kinds:
        for claim in kind.info.claims:
            if isinstance(claim, Serial):
                key = (claim.baud, claim.bits, claim.parity, claim.stop)
                found.setdefault(key, (claim, []))[1].append(kind)
    ordered = sorted(found.values(), key=lambda one: (-len(one[1]), -one[0].baud, one[0].parity))
    return [(line, tuple(drivers)) for line, drivers in ordered]
