"""A TOML text as a field engineer's laptop leaves it: made plain, and asked where a key stands. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

_QUOTES = "\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019"


def plain(data: bytes) -> str:
    """The text without byte order mark, with plain line ends. Raises UnicodeDecodeError."""
    coding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    lines = data.decode(coding).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\n".join(line.rstrip(" \t\u00a0\0\x1a") for line in lines)


def line_of(text: str, place: str) -> int:
    """The number of the line of `wifi.password`, `gateway.port[1].baud` or `wifi`; 0 if it is not found."""
    table, _, key = place.rpartition(".")
    for number, here, word in _marks(text):
        if (here, word) in ((table, key), (place, "")):
            return number
    return line_of(text, table) if table else 0


def spread(text: str, place: str) -> tuple[int, int]:
    """From which line to which (numbers, both included) the value of a key goes; (0, 0) if it is not found."""
    first = line_of(text, place)
    if not first:
        return 0, 0
    marks = [number for number, _, _ in _marks(text) if number > first]
    lines = text.split("\n")
    last = (marks[0] if marks else len(lines) + 1) - 1
    while last > first and (not lines[last - 1] or lines[last - 1].lstrip().startswith("#")):
        last -= 1
    return first, last


def _marks(text: str) -> Iterator[tuple[int, str, str]]:
    """(number, table, key) of each line that begins a key; the key is empty where the line begins the table."""
    here = ""
    seen: Counter[str] = Counter()
    quoted = ""
    for number, line in enumerate(text.split("\n"), 1):
        if quoted:
            quoted = "" if line.count(quoted) % 2 else quoted
            continue
        header = re.match(r"\s*(\[\[?)\s*([\w.-]+)\s*\]", line)
        if header:
            name = header.group(2)
            here = name if header.group(1) == "[" else f"{name}[{seen[name]}]"
            seen[name] += 1
            yield number, here, ""
            continue
        key = re.match(r"\s*[\"']?([\w-]+)[\"']?\s*=", line)
        if key:
            yield number, here, key.group(1)
            quoted = next((mark for mark in ('"""', "'''") if line.count(mark) % 2), "")


def typographic(text: str, number: int) -> bool:
    """Whether a line has the quotes that a word processor writes."""
    lines = text.split("\n")
    return 0 < number <= len(lines) and any(mark in lines[number - 1] for mark in _QUOTES)
