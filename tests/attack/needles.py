"""Canaries: values that are nowhere by chance, in every form in which a careless program could leave them. Pure."""

from __future__ import annotations

import base64
import itertools
import json
import random
import re
import struct
import zlib
from collections.abc import Iterable, Iterator

import cbor2

SAMPLES = random.Random(7).sample(range(1, 127), 24)  # of a plethysmogram, 0.4 s of it
NAME, CODE, SERIAL = "Quokkasimba", "QX7-CANARY-5519", "00CANARY77F1"
RECIPIENT = "350123456789012349"  # a GSRN with its check digit
NUMBER = 41.07  # a temperature, as text on the line
UNPACKED_LIMIT_BYTES = 1 << 18
_PACKED = re.compile(rb"\x78[\x01\x5e\x9c\xda]|\x1f\x8b\x08")


def of_text(text: str) -> Iterator[bytes]:
    """Letters, wide letters, reversed, hex, base64 at each of its three places, JSON."""
    plain = text.encode()
    yield plain
    yield plain[::-1]
    for wide in ("utf-16-le", "utf-16-be", "utf-32-le"):
        yield text.encode(wide)
    yield plain.hex().encode()
    yield plain.hex().upper().encode()
    yield from _base64(plain)


def _base64(plain: bytes) -> Iterator[bytes]:
    """What of a base64 text does not depend on what stands before and behind."""
    for lead in range(3):
        coded = base64.b64encode(bytes(lead) + plain)
        yield coded[4 if lead else 0 : len(coded) - 4]


def of_digits(digits: str) -> Iterator[bytes]:
    """A number: as text, packed BCD in both orders of nibbles, 64 bits in both orders of bytes."""
    yield from of_text(digits)
    even = digits if len(digits) % 2 == 0 else f"0{digits}"
    yield bytes.fromhex(even)
    yield bytes.fromhex("".join(b + a for a, b in zip(even[::2], even[1::2], strict=True)))
    yield struct.pack("<Q", int(digits))
    yield struct.pack(">Q", int(digits))


def of_samples(run: Iterable[int]) -> Iterator[bytes]:
    """Integers of every width, their differences, lists as text, JSON and CBOR."""
    values = list(run)
    steps = [b - a for a, b in itertools.pairwise(values)]
    for form in ("b", "<h", ">h", "<i", ">i", "<q", "<d", "<f"):
        order, kind = (form[0], form[1]) if len(form) == 2 else ("=", form)
        yield struct.pack(f"{order}{len(values)}{kind}", *values)
        yield struct.pack(f"{order}{len(steps)}{kind}", *steps)
    for between in (",", ", ", " ", ";", "\n", "|"):
        yield between.join(map(str, values)).encode()
    yield cbor2.dumps(values)[2:]
    yield from _base64(bytes(values))
    yield json.dumps(values).encode()[1:-1]


def all_needles() -> dict[str, list[bytes]]:
    """By canary, each form once; nothing shorter than eight bytes, which could be there by chance."""
    forms = {
        "samples": of_samples(SAMPLES),
        "patient's name": of_text(NAME),
        "patient's number": of_text(CODE),
        "wristband": of_digits(RECIPIENT),
        "serial number": of_text(SERIAL),
    }
    return {name: sorted({needle for needle in found if len(needle) >= 8}) for name, found in forms.items()}


def found_in(data: bytes, needles: dict[str, list[bytes]]) -> list[str]:
    """Which canaries are there, also in what was packed with zlib or gzip."""
    places = [data, *unpacked(data)]
    return [name for name, forms in needles.items() if any(form in place for place in places for form in forms)]


def unpacked(data: bytes) -> Iterator[bytes]:
    """Whatever of it can be inflated."""
    for begin in _PACKED.finditer(data):
        inflater = zlib.decompressobj(wbits=47)
        try:
            plain = inflater.decompress(
                data[begin.start() : begin.start() + UNPACKED_LIMIT_BYTES], UNPACKED_LIMIT_BYTES
            )
        except zlib.error:
            continue
        if len(plain) >= 8:
            yield plain
