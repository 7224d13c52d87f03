"""RAUC, which believes a bundle or not and writes the other slot (rauc 1.13: `rauc info`, `rauc install`)."""

from __future__ import annotations

import re
import subprocess

import msgspec

INFO_LIMIT_S = 900.0
INSTALL_LIMIT_S = 6 * 3600.0
# Once in a while the first try after a refused bundle fails so, and the next one does not.
_ODD = "Failed to load dm table"
_REFUSED = re.compile(
    r"signature verification|verify error|compatible|version limit|version mismatch|min-bundle-version", re.I
)
_WHY = "LastError:"  # what the service says, of which the client is only a messenger
_BUSY = "Already processing"


class RaucError(Exception):
    """`is_final`: the bundle itself is the reason."""

    def __init__(self, message: str, *, is_final: bool) -> None:
        super().__init__(message)
        self.is_final = is_final


class _Update(msgspec.Struct, frozen=True):
    version: str = ""
    compatible: str = ""


class _Info(msgspec.Struct, frozen=True):
    update: _Update


def version_of(place: str) -> str:
    """The version of a bundle whose signature is good; `place` is a file or an address. Raises RaucError."""
    said = _run(["rauc", "info", "--output-format=json-2", place], INFO_LIMIT_S)
    try:
        return msgspec.json.decode(said[said.index("{") :], type=_Info).update.version
    except (ValueError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RaucError(f"rauc info: {error}", is_final=False) from error


def install(place: str) -> None:
    """Verify again, and write the other slot. Raises RaucError."""
    try:
        _run(["rauc", "install", place], INSTALL_LIMIT_S)
    except RaucError as error:
        if _ODD not in str(error):
            raise
        _run(["rauc", "install", place], INSTALL_LIMIT_S)


def _run(words: list[str], limit_s: float) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=limit_s, check=False)
    except FileNotFoundError as error:
        raise RaucError("there is no rauc on this machine: it was not made from the image", is_final=True) from error
    except subprocess.TimeoutExpired as error:
        raise RaucError(f"{words[0]} {words[1]} is not done after {limit_s:.0f} s", is_final=False) from error
    if done.returncode == 0:
        return done.stdout
    lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    last = lines[-1] if lines else "it failed"
    said = next((line for line in reversed(lines) if _REFUSED.search(line) or _WHY in line), last)
    said = said.rpartition(_WHY)[2].strip()
    if _ODD in done.stdout + done.stderr:
        said = _ODD
    raise RaucError(said, is_final=_REFUSED.search(said) is not None and _BUSY not in said)
