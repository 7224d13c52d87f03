"""What time it is at the centre, signed: answered at once where the question comes in, never behind a commit.

By how much our own clock may be wrong comes from whoever keeps it (discipline); where nobody does, the answer says so
and no gateway makes an anchor of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre import clock
from centre.counts import Counts
from discipline import machine
from discipline.machine import Found, grown
from wire import moment
from wire.moment import Moment

LOOK_S = 30.0
STALE_US = 600_000_000
STEP_LIMIT_US = 1_000
SLEW_PPM = 600  # more than the kernel slews: beyond it the clock was stepped


class Timing:
    """Any thread may ask. `utc_us` and `monotonic_us` are this machine's clocks, `look` says who keeps the first."""

    def __init__(
        self,
        signer: Ed25519PrivateKey,
        counts: Counts,
        utc_us: Callable[[], int] = clock.utc_us,
        monotonic_us: Callable[[], int] = clock.monotonic_us,
        look: Callable[[Callable[[], int]], Found] = machine.look,
    ) -> None:
        self._signer = signer
        self._counts = counts
        self.utc_us = utc_us
        self._monotonic_us = monotonic_us
        self._look = look
        self._found: tuple[Found, int, int] | None = None  # who keeps it, and both clocks when he said so
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="clock", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def look(self) -> None:
        """Ask who keeps the clock. Blocks for some milliseconds."""
        found = self._look(self.utc_us)
        self._found = (found, self.utc_us(), self._monotonic_us())

    def error_us(self) -> int | None:
        """By how much our clock may be wrong now; None where nobody knows, or somebody stepped it since."""
        if self._found is None:
            return None
        found, utc, monotonic = self._found
        age = self._monotonic_us() - monotonic
        moved = abs(self.utc_us() - utc - age)
        if found.error_us is None or age > STALE_US or moved > STEP_LIMIT_US + age * SLEW_PPM // 1_000_000:
            return None
        return grown(found.error_us, age)

    def answer(self, gateway: str, nonce: bytes, received: int) -> bytes:
        """To a question that came at `received`, by our clock."""
        error = self.error_us()
        self._counts.add("times_told" if error is not None else "times_told_undisciplined")
        return moment.sign(self._signer, gateway, Moment(nonce, received, max(received, self.utc_us()), error))

    def _run(self) -> None:
        while not self._stop.is_set():
            self.look()
            self._stop.wait(LOOK_S)
