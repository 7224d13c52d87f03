"""Enrolment on this machine: makes the key, asks, takes what comes. Network and stick end in `take_answer`.

Never loaded by a running gateway: reading certificates costs memory, so a child process does it (agent/renewing.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from agent import applying, durable, identity
from agent.enrol import papers, protection
from agent.enrol.papers import RefusedError
from agent.enrol.places import (
    ASKED_FILE,
    KEY_FILE,
    PUBLIC_FILE,
    ROOTS_FILE,
    SEALED_FILE,
    WIPING_FILE,
)
from agent.enrol.protection import Protection, ProtectionError
from agent.enrol.standing import Asked, Enrolled
from config.load import ConfigError
from wire import keys
from wire.voucher import Voucher

MODEL_FILES = (Path("/proc/device-tree/model"), Path("/sys/class/dmi/id/product_name"))
PROTECTIONS = ("auto", "tpm", "board", "file")


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys folder of one gateway. `tpm`: another TPM than the board's, as systemd-creds takes it."""

    folder: Path
    site: str
    tpm: str = ""

    def make(self, wanted: str = "auto") -> str:
        """The gateway's key, where there is none yet; why it is not sealed better, "" if it is, or was there.

        Raises ConfigError, ProtectionError (only where tpm or board is `wanted`), OSError.
        """
        if (self.folder / WIPING_FILE).exists():
            raise ConfigError(f"{self.folder} is being wiped", "`wardlink wipe` goes on with it")
        applying.finish(applying.Owned(), self.folder)
        if protection.of(self.folder) is not Protection.NONE:
            return ""
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        files, why = self._protected(pem, wanted)
        public = f"{keys.verifier_text(key.public_key())}\n".encode()
        applying.apply(applying.Owned(), self.folder, {PUBLIC_FILE: public} | files)
        return why

    def seal(self, wanted: str = "auto") -> str:
        """Seal a key that is a plain file, and destroy the file. Raises ConfigError, ProtectionError, OSError."""
        plain = self.folder / KEY_FILE
        files, why = self._protected(plain.read_bytes(), wanted)
        if SEALED_FILE in files:
            for name, data in files.items():
                durable.place(applying.Owned(), self.folder / name, data)
            destroy(plain)
        return why

    def _protected(self, pem: bytes, wanted: str) -> tuple[dict[str, bytes], str]:
        if wanted == "file":
            return {KEY_FILE: pem}, "a file was asked for"
        try:
            sealed, why = protection.seal(pem, wanted, self.tpm)
        except ProtectionError as error:
            if wanted != "auto":
                raise
            return {KEY_FILE: pem}, str(error)
        return {SEALED_FILE: sealed}, why

    @property
    def protection(self) -> Protection:
        return protection.of(self.folder)

    @property
    def gateway(self) -> str:
        """The id, without the key where it was written down. Raises ConfigError."""
        return gateway(self.folder)

    def ask(self, voucher: Voucher | None, nonce: bytes, now: int) -> tuple[bytes, Asked]:
        """A request, and what its answer must fit. Raises ConfigError, RefusedError."""
        last = self.enrolled()
        if voucher is not None and voucher.site != self.site:
            what = f"the voucher is for the site {voucher.site}, this gateway is set up for {self.site}"
            raise RefusedError(what, "ask the centre for a voucher for this site, or correct site in gateway.toml")
        if voucher is None and (last is None or last.site != self.site):
            raise RefusedError("this gateway was never enrolled here", "ask the centre for a voucher: wardlink enrol")
        data = papers.asking(identity.signer(self.folder), self.site, voucher, nonce, board(), now)
        url = voucher.url if voucher else last.url if last else ""
        return data, Asked(self.site, self.gateway, nonce, voucher.root if voucher else b"", url)

    def remember(self, asked: Asked) -> None:
        """For an answer that comes on a stick. Raises OSError."""
        applying.apply(applying.Owned(), self.folder, {ASKED_FILE: msgspec.json.encode(asked)})

    def remembered(self) -> Asked:
        """Raises RefusedError."""
        try:
            return msgspec.json.decode((self.folder / ASKED_FILE).read_bytes(), type=Asked)
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            what = "no request of this gateway waits for an answer"
            raise RefusedError(what, "write one with `wardlink enrol request`; an answer is taken once") from error

    def take_answer(self, asked: Asked, data: bytes) -> Enrolled:
        """Verify and write, whole or not at all. Raises RefusedError, OSError."""
        if asked.gateway != self.gateway or asked.site != self.site:
            raise RefusedError("the request was of another gateway or site", "write another: wardlink enrol request")
        enrolled, contents = papers.answered(asked, self._roots(), self.enrolled(), self._recipients(), data)
        applying.apply(applying.Owned(), self.folder, contents)
        return enrolled

    def take_directory(self, data: bytes) -> Enrolled:
        """The same for a directory that came alone. Raises RefusedError, OSError."""
        last = self.enrolled()
        if last is None or last.site != self.site:
            raise RefusedError("this gateway was never enrolled here", "a directory alone is for one that is enrolled")
        enrolled, contents = papers.directed(self._roots(), last, self._recipients(), data)
        if contents:
            applying.apply(applying.Owned(), self.folder, contents)
        return enrolled

    def enrolled(self) -> Enrolled | None:
        return identity.enrolled(self.folder)

    def _roots(self) -> bytes:
        file = self.folder / ROOTS_FILE
        return file.read_bytes() if file.exists() else b""

    def _recipients(self) -> list[str]:
        return [file.name for file in (self.folder / "recipients").glob("*.pub")]


def gateway(folder: Path) -> str:
    """The id of the gateway that has this keys folder. Raises ConfigError."""
    file = folder / PUBLIC_FILE
    try:
        return keys.gateway_id(keys.verifier(file.read_text("ascii")))
    except FileNotFoundError:
        return keys.gateway_id(identity.signer(folder).public_key())
    except (OSError, ValueError, keys.KeyFormatError) as error:
        raise ConfigError(f"{file}: {error}", "remove it: it is made of the key") from error


def board() -> str:
    """What this machine is, in its maker's words; for people."""
    for file in MODEL_FILES:
        try:
            said = file.read_bytes().rstrip(b"\0\n").decode("ascii", "replace").strip()
        except OSError:
            continue
        if said:
            return "".join(letter if letter.isprintable() else "?" for letter in said)[: papers.BOARD_LETTERS]
    return "unknown board"


def destroy(file: Path) -> None:
    """Overwrite, then unlink. A flash card may keep the old cells: only a sealed key is surely gone. Raises OSError."""
    with file.open("r+b", buffering=0) as out:
        out.write(bytes(file.stat().st_size))
        applying.Owned().fdatasync(out.fileno())
    file.unlink()
    applying.Owned().sync_folder(file.parent)
