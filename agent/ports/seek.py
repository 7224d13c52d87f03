"""The search for whoever speaks on a line: which settings to listen at, for how long, and what to say meanwhile. Pure.

Nothing is sent while searching (REQUIREMENTS NUR-02). A line at the wrong speed still brings bytes, only no frames: the
settings are changed when bytes have come that nobody understands. While nothing comes there is nothing to learn, and
the port stays as it is. Times are monotonic nanoseconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.ports.evidence import Trial, Verdict
from drivers.contract import Driver, Serial

SECOND_NS = 1_000_000_000
PATIENCE_NS = 1_200_000_000  # from the first byte at a setting, where nobody has found a frame: a line a second is slow
ENOUGH_BYTES = 600  # and then nobody will
NEAR_NS = 8 * SECOND_NS  # where somebody has found one
UNKNOWN_NS = 20 * SECOND_NS  # NUR-01: then it is said that nobody knows this device
KEPT_LIMIT_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Found:
    """This driver, at these settings; `heard` is all that was read at them, with its times."""

    kind: type[Driver]
    line: Serial
    heard: tuple[tuple[int, bytes], ...]


class Seek:
    """`line` is how the port should be set now; `words` says how far it has come, for a person."""

    def __init__(self, kinds: Iterable[type[Driver]], now: int, first: Serial | None = None) -> None:
        """`first`: the setting at which somebody was understood here before."""
        self._settings = sorted(settings_of(kinds), key=lambda setting: setting[0] != first)
        self._at = 0
        self._began = now
        self._first: int | None = None  # the first byte of all
        self._verdict = Verdict()
        self._tried: list[str] = []
        self._since: int | None = None  # the first byte at this setting
        self._enter()

    @property
    def line(self) -> Serial:
        return self._settings[self._at][0]

    @property
    def tried(self) -> tuple[str, ...]:
        """The settings at which bytes came and nobody understood them."""
        return tuple(self._tried)

    def heard(self, data: bytes, now: int) -> Found | None:
        """Take what was read at `line`. Look at `line` afterwards: it may have changed."""
        self._first = now if self._first is None else self._first
        self._since = now if self._since is None else self._since
        self._verdict = self._trial.hear(data, now)
        self._keep(data, now)
        if self._verdict.is_sure:
            return Found(self._kind(self._verdict.ids[0]), self.line, tuple(self._heard))
        self.woke(now)
        return None

    @property
    def wake_at(self) -> int | None:
        """When this setting has had its time; None while nothing has come at it."""
        return None if self._since is None else self._since + self._patience()

    def woke(self, now: int) -> None:
        """Try the next setting, if this one has had its time."""
        if self._since is None:
            return
        nobody = not self._verdict.near and self._trial.heard_bytes >= ENOUGH_BYTES
        if nobody or now - self._since >= self._patience():
            self._note()
            self._at = (self._at + 1) % len(self._settings)
            self._enter()

    def words(self, now: int) -> str:
        """What a nurse or an engineer may know of it."""
        if self._first is None:
            return "listening: nothing is heard"
        if now - self._first < UNKNOWN_NS:
            return "listening"
        if len(self._verdict.ids) > 1:
            return f"{' and '.join(self._verdict.ids)} both understand it: pin one in the configuration"
        return f"unknown device: it speaks, but nobody understands it at {', '.join(self._tried)}"

    def _enter(self) -> None:
        self._trial = Trial(self._settings[self._at][1])
        self._heard: list[tuple[int, bytes]] = []
        self._kept_bytes = 0
        self._since = None

    def _patience(self) -> int:
        return NEAR_NS if self._verdict.near else PATIENCE_NS

    def _note(self) -> None:
        line = self.line
        name = f"{line.baud} {line.bits}{line.parity}{line.stop}"
        if name not in self._tried:
            self._tried.append(name)

    def _keep(self, data: bytes, now: int) -> None:
        """Within bounds: a device that nobody has understood for so long is not understood later."""
        self._heard.append((now, data))
        self._kept_bytes += len(data)
        while self._kept_bytes > KEPT_LIMIT_BYTES:
            self._kept_bytes -= len(self._heard.pop(0)[1])

    def _kind(self, driver_id: str) -> type[Driver]:
        return next(kind for kind in self._settings[self._at][1] if kind.info.id == driver_id)


def settings_of(kinds: Iterable[type[Driver]]) -> list[tuple[Serial, tuple[type[Driver], ...]]]:
    """Every line setting that a driver claims, with all who claim it; those of many drivers first.

    Who has no channels says nothing by which he could be known, a barcode reader, and is not asked.
    """
    found: dict[tuple[int, int, str, int], tuple[Serial, list[type[Driver]]]] = {}
    for kind in (kind for kind in kinds if kind.info.emits):
        for claim in kind.info.claims:
            if isinstance(claim, Serial):
                key = (claim.baud, claim.bits, claim.parity, claim.stop)
                found.setdefault(key, (claim, []))[1].append(kind)
    ordered = sorted(found.values(), key=lambda one: (-len(one[1]), -one[0].baud, one[0].parity))
    return [(line, tuple(drivers)) for line, drivers in ordered]
