"""Where the gateway's key lies: a systemd credential, sealed to the TPM or to this system, or a plain file.

systemd-creds(1), systemd 252 and later. It seals under a key that the TPM makes of its own seed: nothing of ours lies
in the TPM, nothing is to be removed there, and another TPM refuses what is copied to it. PCR 23 is what firmware
leaves to applications: zero on every board, where PCR 7 (systemd's default) changes with an update of the firmware,
and the gateway would lose its key. (No PCR at all is what we mean; systemd 252 seals so, and cannot open it.)

Which protection a credential has stands in its first 16 bytes (systemd, src/shared/creds-util.h, CRED_AES256_GCM_BY_*).
"""

from __future__ import annotations

import base64
import os
import subprocess
from enum import StrEnum
from pathlib import Path

from agent.enrol import places
from agent.enrol.places import KEY_FILE, SEALED_FILE

TPM_VARIABLE = "WARDLINK_TPM"  # another TPM than the board's, as systemd-creds takes it: "swtpm:path=..." for tests
_TPM = Path("/dev/tpmrm0")
_PCRS = "23"
_TIME_LIMIT_S = 60.0
_HOST = bytes.fromhex("5a1c6a86df9d4096b1d5a65e0862f19a")
_TPMS = {
    bytes.fromhex("0c7cc07b117645919c4b0bea08bc20fe"),  # TPM2_HMAC
    bytes.fromhex("93a894094874449090caf2fc93cab553"),  # HOST_AND_TPM2_HMAC
    bytes.fromhex("faf7eb9341e3412ca1a436f95a29362f"),  # TPM2_HMAC_WITH_PK
    bytes.fromhex("af4950a849134eb1a73846304ff30c05"),  # HOST_AND_TPM2_HMAC_WITH_PK
}


class Protection(StrEnum):
    """What keeps the key from whoever has the card; `words` for people."""

    TPM = "tpm"
    BOARD = "board"
    FILE = "file"
    GIVEN = "credential"
    NONE = "none"

    @property
    def words(self) -> str:
        return _WORDS[self]


_WORDS = {
    Protection.TPM: "sealed to the TPM of this board: the card alone, or in another board, is worth nothing",
    Protection.BOARD: "sealed with this system's own secret (no TPM): a copy of the keys folder is worth nothing, "
    "a copy of the whole card opens it",
    Protection.FILE: "a file that only its user may read: whoever has the card has the key",
    Protection.GIVEN: "a credential of the unit; how it is sealed cannot be seen from here",
    Protection.NONE: "there is no key",
}


class ProtectionError(Exception):
    """The key cannot be sealed, or not opened here; `hint` says what to do."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def of(folder: Path) -> Protection:
    """Of the key that this keys folder has. Raises OSError: it has one that we may not even see."""
    if (folder / KEY_FILE).exists():
        return Protection.FILE
    is_given = places.credential() is not None
    try:
        return kind((folder / SEALED_FILE).read_bytes())
    except FileNotFoundError:
        return Protection.GIVEN if is_given else Protection.NONE
    except OSError:
        if not is_given:
            raise
        return Protection.GIVEN


def kind(credential: bytes) -> Protection:
    """What the first bytes of a credential say; one of no kind that we know protects nothing that we know of."""
    try:
        head = base64.b64decode(credential[:24], validate=True)[:16]
    except ValueError:
        return Protection.FILE
    return Protection.TPM if head in _TPMS else Protection.BOARD if head == _HOST else Protection.FILE


def seal(key: bytes, wanted: str = "auto", tpm: str = "") -> tuple[bytes, str]:
    """The credential, proven to open here, and why it is not sealed better ("" if it is). Raises ProtectionError.

    `wanted`: auto (the best there is), tpm or board. `tpm`: as systemd-creds takes --tpm2-device; "": this board's.
    """
    why = "there is no TPM"
    if wanted == "tpm" or (wanted == "auto" and (tpm or _TPM.exists())):
        try:
            return _proven(key, ["--with-key=tpm2", f"--tpm2-pcrs={_PCRS}"], tpm), ""
        except ProtectionError as error:
            if wanted == "tpm":
                raise
            why = str(error)
    return _proven(key, ["--with-key=host"], ""), why


def _proven(key: bytes, how: list[str], tpm: str) -> bytes:
    sealed = _creds("encrypt", [*how, *_device(tpm)], key)
    if unseal(sealed, tpm) != key:
        raise ProtectionError("what systemd-creds sealed does not open again", "journalctl -b says more")
    return sealed


def unseal(credential: bytes, tpm: str = "") -> bytes:
    """Needs root, and the board that it was sealed to. Raises ProtectionError."""
    return _creds("decrypt", _device(tpm), credential)


def _device(tpm: str) -> list[str]:
    return [f"--tpm2-device={tpm}"] if tpm else []


def _creds(verb: str, options: list[str], data: bytes) -> bytes:
    """systemd-creds from its stdin to its stdout: the key is in no argument and in no file. Raises ProtectionError."""
    command = ["systemd-creds", verb, *options, f"--name={KEY_FILE}", "-", "-"]
    try:
        done = subprocess.run(
            command, input=data, capture_output=True, check=False, timeout=_TIME_LIMIT_S, env=_environment()
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProtectionError(f"systemd-creds cannot be run: {error}", "systemd 252 or later") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        why = said[-1] if said else f"exit code {done.returncode}"
        hint = "as root; a key that was sealed to another board opens only there: this one needs a voucher"
        raise ProtectionError(f"systemd-creds cannot {verb} the key: {why}", hint)
    return done.stdout


def _environment() -> dict[str, str]:
    return {**os.environ, "SYSTEMD_LOG_LEVEL": "err", "TSS2_LOG": "all+NONE"}
