"""A recording without the patient: what a driver says as patient's data is filled with X in the bytes it came in.

The texts are looked for in the whole recording, in the encodings that devices use, whatever their case and eighth bit;
and the frame that made the driver say it loses them or is filled whole. Checksums are not repaired. A fresh driver then
hears the result; where it still says one of the texts, there is no result. What a driver does not read, it cannot say:
frames of patient data that it skips stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from drivers.contract import Driver, Identity, Output, PatientId, Status

FILLER = 0x58  # X
SHORT_LETTERS = 3  # a shorter text is looked for in its own frame only: it would be found everywhere
NUMBER_DIGITS = 5  # from here on a number is looked for in binary and in packed decimals, too
PRIVATE_STATES = ("user", "patient")  # a state whose code begins so carries a name
ENCODINGS = ("latin-1", "utf-8", "utf-16-le", "utf-16-be")
SEVEN = bytes(byte & 0x7F for byte in range(256))
Chunk = tuple[int, bytes]


class NamedError(Exception):
    """The patient could not be taken out."""


@dataclass(frozen=True, slots=True)
class Unnamed:
    chunks: tuple[Chunk, ...]
    places: int
    filled_bytes: int


@dataclass(frozen=True, slots=True)
class Said:
    """A text about the patient, and from where to where the frame goes that said it."""

    text: str
    start: int
    end: int


def unnamed(kind: type[Driver], chunks: Sequence[Chunk]) -> Unnamed:
    """The same recording without the texts. Raises NamedError."""
    said = list(private(kind, chunks))
    data = bytearray(b"".join(one for _, one in chunks))
    texts = {one.text for one in said}
    spans = {span for text in texts if len(text) >= SHORT_LETTERS for span in found(text, data)}
    for one in said:
        inside = {(start, end) for start, end in found(one.text, data) if start < one.end and end > one.start}
        spans |= inside or {(one.start, one.end)}
    fill(data, spans)
    result = cut_like(chunks, data)
    again = [one for one in private(kind, result) if one.text in texts]
    fill(data, {(one.start, one.end) for one in again})
    result = cut_like(chunks, data)
    if any(one.text in texts for one in private(kind, result)):
        raise NamedError("what the driver says of the patient could not be taken out")
    filled = sum(before != after for before, after in zip(b"".join(one for _, one in chunks), data, strict=True))
    return Unnamed(result, len(spans), filled)


def private(kind: type[Driver], chunks: Iterable[Chunk]) -> Iterator[Said]:
    """What the driver says about the patient, byte by byte, so that it is known which frame says it."""
    driver, at_byte = kind(), 0
    list(driver.on_open(0))
    for now, data in chunks:
        while driver.wake_at is not None and driver.wake_at < now:
            for text in texts_of(driver.on_time(driver.wake_at + 1)):
                yield Said(text, max(0, at_byte - driver.pending()), at_byte)
        for value in data:
            start = at_byte - driver.pending()
            at_byte += 1
            for text in texts_of(driver.on_bytes(bytes((value,)), now)):
                yield Said(text, max(0, start), at_byte)


def texts_of(outputs: Iterable[Output]) -> Iterator[str]:
    """The texts, and the words of names."""
    for one in outputs:
        texts: tuple[str, ...] = ()
        if isinstance(one, PatientId):
            texts = (one.code, one.name, *one.name.replace("^", " ").replace(",", " ").split())
        elif isinstance(one, Status) and one.code.startswith(PRIVATE_STATES):
            texts = (one.text, *one.text.split())
        elif isinstance(one, Identity) and not any(map(str.isdigit, one.serial)):
            texts = (one.serial,)  # no number: somebody typed it
        yield from (text.strip() for text in texts if text.strip(" X"))


def found(text: str, data: bytes | bytearray) -> Iterator[tuple[int, int]]:
    """Where a text stands: (first byte, one past the last)."""
    plain = bytes(data).translate(SEVEN).lower()
    for needle in {one.translate(SEVEN).lower() for one in spelt(text)}:
        yield from places(needle, plain)
    for needle in numbers(text):
        yield from places(needle, bytes(data))


def spelt(text: str) -> Iterator[bytes]:
    for encoding in ENCODINGS:
        yield text.encode(encoding, "replace")


def numbers(text: str) -> Iterator[bytes]:
    """A number in binary and in packed decimals."""
    if not (text.isascii() and text.isdigit() and len(text) >= NUMBER_DIGITS):
        return
    size = 4 if int(text) < 1 << 32 else 8
    if int(text) < 1 << 64:
        yield int(text).to_bytes(size, "big")
        yield int(text).to_bytes(size, "little")
    yield bytes.fromhex(text if len(text) % 2 == 0 else f"0{text}")


def places(needle: bytes, data: bytes) -> Iterator[tuple[int, int]]:
    at = data.find(needle) if needle else -1
    while at >= 0:
        yield at, at + len(needle)
        at = data.find(needle, at + 1)


def fill(data: bytearray, spans: Iterable[tuple[int, int]]) -> None:
    """X for each byte, with the eighth bit it had; the zeros between wide letters stay."""
    for start, end in spans:
        for at in range(start, end):
            data[at] = FILLER | data[at] & 0x80 if data[at] else 0


def cut_like(chunks: Iterable[Chunk], data: bytes | bytearray) -> tuple[Chunk, ...]:
    result, start = [], 0
    for at, piece in chunks:
        result.append((at, bytes(data[start : start + len(piece)])))
        start += len(piece)
    return tuple(result)
