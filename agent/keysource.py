"""What the image's encryption of the data partition is worth on this board, in a sentence (docs/image.md)."""

from __future__ import annotations

from pathlib import Path

KEY_SOURCE_FILE = "keysource"  # in the runtime folder; written by the image when it opens the partition
WORDS = {
    "otp": "a key burnt into this board opens the data partition: the card alone should be unreadable (untried)",
    "tpm2": "this board's TPM opens the data partition: the card alone should be unreadable (tried with emulated ones)",
    "none": "the key of the data partition lies on the same card: whoever has the card can read it",
}


def read(runtime: Path) -> str:
    """`otp`, `tpm2` or `none`; "" where nobody said so: it is not the image."""
    try:
        said = (runtime / KEY_SOURCE_FILE).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
    return said if said in WORDS else ""
