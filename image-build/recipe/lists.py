"""Lists that are data: words in a text file of image-build/, with # for what is said to the reader."""

from __future__ import annotations

from pathlib import Path

HERE = Path(__file__).resolve().parent.parent


def words(name: str) -> list[str]:
    """The words of image-build/`name`, in order."""
    text = (HERE / name).read_text(encoding="utf-8")
    return [word for line in text.splitlines() for word in line.partition("#")[0].split()]
