"""The centre's own two keys, made once: what opens, and what signs. A hospital that reads its data makes the first."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre import clock
from wire import keys

KINDS = {"xwing": 96, "x25519": 32}  # bytes of the private key; xwing is good against tomorrow's computers too


def make(folder: Path, kind: str, *, signs: bool) -> list[Path]:
    """Write `recipient.key` and `recipient.pub`, with `signs` also `centre.key` and `receipts.pub`; all or none.

    Raises FileExistsError: a key that was thrown away opens nothing any more.
    """
    recipient = keys.RecipientSecret(kind, clock.secret(KINDS[kind]))
    made = {"recipient.key": recipient.text(), "recipient.pub": recipient.recipient.text()}
    if signs:
        signer = Ed25519PrivateKey.from_private_bytes(clock.secret(32))
        made |= {"centre.key": keys.signer_text(signer), "receipts.pub": keys.verifier_text(signer.public_key())}
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in made:
        if (folder / name).exists():
            raise FileExistsError(f"{folder / name} is there already")
    for name, text in made.items():
        _write(folder / name, text, 0o644 if name.endswith(".pub") else 0o600)
    return [folder / name for name in made]


def _write(file: Path, text: str, mode: int) -> None:
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(fd, "w", encoding="ascii") as out:
        out.write(f"{text}\n")
        out.flush()
        os.fsync(fd)
