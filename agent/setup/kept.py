"""Which setup is in force, and which was: small files that outlive a power cut, below `/etc/wardlink/setup`.

`good.json` reached the broker; `trial.json` has not yet; `refused` is the digest of the one that was rolled back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from agent.setup.terms import Whole

FOLDER = "etc/wardlink/setup"
GOOD, TRIAL, REFUSED, PRESEED = "good.json", "trial.json", "refused", "preseed.json"
Place = Callable[[Path, bytes], None]  # whole or not at all, durable, for its owner only


def digest(whole: Whole) -> str:
    return hashlib.sha256(msgspec.json.encode(whole, order="deterministic")).hexdigest()


@dataclass(frozen=True, slots=True)
class Kept:
    """The folder. What cannot be read counts as not there: it is then written anew."""

    folder: Path
    place: Place

    def good(self) -> Whole | None:
        return self._whole(GOOD)

    def trial(self) -> Whole | None:
        return self._whole(TRIAL)

    def refused(self) -> str:
        file = self.folder / REFUSED
        return file.read_text("ascii", "replace") if file.exists() else ""

    def preseed(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = msgspec.json.decode((self.folder / PRESEED).read_bytes(), type=dict[str, Any])
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return {}
        return found

    def remember(self, raw: dict[str, Any]) -> None:
        self.place(self.folder / PRESEED, msgspec.json.encode(raw))

    def begin(self, whole: Whole) -> None:
        """It is tried from now on, whatever was tried before."""
        self.place(self.folder / TRIAL, msgspec.json.encode(whole))
        (self.folder / REFUSED).unlink(missing_ok=True)

    def confirm(self) -> None:
        """It reached the broker: the last good one from now on."""
        (self.folder / TRIAL).replace(self.folder / GOOD)

    def refuse(self) -> None:
        """Back to the last good one, and not again by itself."""
        trial = self.trial()
        if trial is not None:
            self.place(self.folder / REFUSED, digest(trial).encode())
            (self.folder / TRIAL).unlink()

    def used(self) -> None:
        """The voucher is: it lets nobody in a second time."""
        for name in (GOOD, TRIAL):
            whole = self._whole(name)
            if whole is not None and whole.setup.voucher:
                setup = msgspec.structs.replace(whole.setup, voucher="")
                self.place(self.folder / name, msgspec.json.encode(Whole(setup, whole.files)))

    def _whole(self, name: str) -> Whole | None:
        try:
            return msgspec.json.decode((self.folder / name).read_bytes(), type=Whole)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError):
            return None
