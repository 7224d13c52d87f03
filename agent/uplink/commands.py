"""Commands as the gateway takes them: signed, for this start, newer than the last, not expired, not too often. Pure.

A gateway without a clock is as safe as one with: a command names the start, and within it `issued` must grow. Whether
it has expired is known from our own clock where that is disciplined, and from the centre's: a receipt says what time it
was there, so at least that much, and what has passed since, is over.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.uplink.pace import SECOND_NS
from wire.command import Command, CommandError, read

COMMAND_LEAST_S = 5.0
log = logging.getLogger("wardlink.uplink")


class Commands:
    """`refused` counts by reason: size, signature, format, malformed, epoch, start, replayed, expired, often. Those
    change nothing.

    `on_refused` is told each reason, and the nonce where our centre signed it and sending it again would not help (at
    most one in 5 s: what is sent again and again shall not make us talk).
    """

    def __init__(self, centres: Sequence[Ed25519PublicKey], gateway: str, epoch: int, start: bytes) -> None:
        self.centres = centres  # another list may be put here at any time
        self._gateway = gateway
        self._epoch = epoch
        self._start = start
        self._taken_ns: int | None = None
        self._heard: tuple[int, int] | None = None  # (UTC, monotonic ns): the centre's clock, at the earliest
        self.issued = 0  # of the last one that was taken
        self.taken = 0
        self.again = 0  # envelopes that go again
        self.absent = 0  # asked for and not here: declared lost
        self.refused: Counter[str] = Counter()
        self.on_refused: Callable[[str, str, bytes], None] = lambda reason, why, nonce: None
        self._told_ns: int | None = None

    def heard(self, utc: int, now: int) -> None:
        """A receipt says that it was `utc` at the centre, or is later by now."""
        if self._heard is None or utc > self._centre_utc(now):
            self._heard = (utc, now)

    def take(self, data: bytes, now: int, utc: int | None) -> Command | None:
        """None if it is refused. `utc`: microseconds since 1970 that have surely passed."""
        try:
            command = self._checked(data, now, utc)
        except CommandError as error:
            self.refused[error.reason] += 1
            if self.refused[error.reason] == 1:
                log.warning("uplink command=refused reason=%s why=%r", error.reason, str(error))
            self.on_refused(error.reason, str(error), error.nonce if error.nonce and self._may_tell(now) else b"")
            return None
        self.taken += 1
        self.issued, self._taken_ns = command.issued, now
        return command

    def _may_tell(self, now: int) -> bool:
        if self._told_ns is not None and now - self._told_ns < COMMAND_LEAST_S * SECOND_NS:
            return False
        self._told_ns = now
        return True

    def _checked(self, data: bytes, now: int, utc: int | None) -> Command:
        """Raises CommandError."""
        command = _read(self.centres, self._gateway, data)
        if command.epoch != self._epoch:
            raise CommandError("epoch", f"it is for epoch {command.epoch}")
        if command.start != self._start:
            raise CommandError("start", f"it is for another start of epoch {command.epoch}")
        if command.issued <= self.issued:
            raise CommandError("replayed", "not newer than the last one")
        if is_over(command.expires, utc, self._centre_utc(now)):
            raise CommandError("expired", "its time is over", command.nonce)
        if self._taken_ns is not None and now - self._taken_ns < COMMAND_LEAST_S * SECOND_NS:
            raise CommandError("often", "too soon after the last one")
        return command

    def _centre_utc(self, now: int) -> int:
        if self._heard is None:
            return 0
        utc, at = self._heard
        return utc + (now - at) // 1000


def is_over(expires: int, *passed: int | None) -> bool:
    """Whether one of these, microseconds since 1970 that have surely passed, is behind it; None: nobody knows."""
    return any(utc is not None and utc > expires for utc in passed)


def _read(centres: Sequence[Ed25519PublicKey], gateway: str, data: bytes) -> Command:
    """Signed by any of these keys. Raises CommandError."""
    for centre in centres[:-1]:
        try:
            return read(centre, gateway, data)
        except CommandError as error:
            if error.reason != "signature":
                raise
    return read(centres[-1], gateway, data)
