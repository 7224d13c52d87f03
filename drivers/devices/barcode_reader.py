"""Barcode readers for wristbands, on a serial line, as a USB serial port or a keyboard: a line of text, a `PatientId`.

    [ ] AIM symbology and modifier, three characters ] code | CR, LF or both

Source: AIM identifiers of ISO/IEC 15424; GS1 General Specifications: application identifiers 8018 (GSRN of a recipient,
18 digits) and 8019 (instance, up to 10), check digit section 7.9; Code 39 check character ISO/IEC 16388.
No reader's output was at hand: the capture is made by these rules.

A code is 3 to 48 printable characters, begins with a letter or digit, and its characters come with less than a second
between them. GS1 codes (]C1 ]e0 ]d2 ]Q3) must carry a recipient, 8018, with a right check digit: it is the code.
Products (GTIN, also EAN and UPC, ]E) and all other GS1 codes are refused: a box of medicine is no patient. It was read
well, though, and is a good frame. ]A1 and ]I1 say that a check character is there: it is tried and left away. Anything
else in a line refuses all of it, and the reason is said until the next good scan.

Found by itself by three scans whose check we try ourselves: 8018, ]A1, ]I1. All others prove nothing, for nothing but
their form protects them, and every device that prints lines looks like a plain code. So where nobody pinned it no line
without an AIM identifier is a wristband, neither before it is found nor after: another device may have been plugged
into its cable. Where it is pinned a reader without identifiers works too, but lets a product's digits pass: switch them
on. Who reads a PatientId must have it confirmed by a person.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from drivers.contract import Driver, Info, Integrity, Keyboard, Output, PatientId, Phase, Serial, Status

LEAST_CHARS, MOST_CHARS = 3, 48
LINE_LIMIT_BYTES = 128
GAP_NS = 1_000_000_000
ENDS = b"\r\n"
GS = "\x1d"
AIM = re.compile(r"\][A-Za-z][0-9A-Za-z]")
GS1, PRODUCT = ("C1", "e0", "d2", "Q3"), "E"
CHECKED = (*GS1, "A1", "I1")
CODE = re.compile(rf"[A-Za-z0-9][ -~]{{{LEAST_CHARS - 1},{MOST_CHARS - 1}}}")
RECIPIENT = re.compile(r"8018(\d{18})(?:8019\d{1,10})?")
CODE39 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-. $/+%"


class RefusedError(Exception):
    """A line that is no wristband; says why."""


class OtherError(RefusedError):
    """What was read is something else, and it was read well."""


def kind_of(line: str) -> str:
    """Symbology and modifier, two characters; empty where the reader does not say them."""
    return line[1:3] if AIM.match(line) else ""


def judge(line: str) -> str:
    """The code of a wristband. Raises RefusedError."""
    kind = kind_of(line)
    text = line[3:] if kind else line
    if kind in GS1:
        return _recipient(text)
    if kind.startswith(PRODUCT):
        raise OtherError("product")
    if not all(" " <= char <= "~" for char in text):
        raise RefusedError("control character")
    if kind in ("A1", "I1"):
        text = _unchecked(kind, text)
    if not CODE.fullmatch(text):
        raise RefusedError("form")
    return text


def _recipient(text: str) -> str:
    """The recipient's number; a group separator may stand before and behind it."""
    found = RECIPIENT.fullmatch(text.strip(GS))
    if not found:
        raise OtherError("no recipient (8018)")
    if mod10(found[1][:-1]) != found[1][-1]:
        raise RefusedError("check digit")
    return found[1]


def _unchecked(kind: str, text: str) -> str:
    """Without its check character, which is right."""
    body = text[:-1]
    if kind == "A1":
        good = body and all(char in CODE39 for char in body) and mod43(body) == text[-1]
    else:
        good = body and text.isdecimal() and mod10(body) == text[-1]
    if not good:
        raise RefusedError("check digit")
    return body


def mod10(digits: str) -> str:
    """The check digit of GS1: weights 3 and 1 from the right."""
    total = sum(int(digit) * (3, 1)[place % 2] for place, digit in enumerate(reversed(digits)))
    return str(-total % 10)


def mod43(text: str) -> str:
    """The check character of Code 39."""
    return CODE39[sum(map(CODE39.index, text)) % 43]


class BarcodeReader(Driver):
    info = Info(
        id="barcode_reader",
        models=("Barcode readers for wristbands (serial, USB serial, USB keyboard)",),
        claims=(Serial(9600), Serial(115200), Keyboard()),
        emits=(),
        integrity=Integrity.NONE,
        wiring="Set the reader with its own programming sheet: suffix CR or LF, AIM identifiers on, no prefix. Best is "
        "its USB serial (CDC) or RS-232 interface: it is found by three scans with a check digit (GS1 8018, or Code 39 "
        "and interleaved 2 of 5 with their check character verified and sent). Pin it where wristbands have none, or "
        "to hear the first scan at once. As a keyboard it must be pinned: /dev/input/by-id/...-event-kbd, the option "
        "`layout` set to what the reader types (us, fr, de), and the gateway in the group `input`.",
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._line = bytearray()
        self._last = 0
        self._is_long = False
        self._refused = ""

    def pending(self) -> int:
        return len(self._line)

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        out: list[Output] = []
        if self._line and now - self._last > GAP_NS:
            out += self._refuse("broken off")
        self._last = now
        for byte in data:
            if byte in ENDS:
                out += self._end()
            elif len(self._line) < LINE_LIMIT_BYTES:
                self._line.append(byte)
            else:
                self._is_long = True
                self.counts.skipped += 1
        return out

    def _end(self) -> Iterator[Output]:
        if not self._line:
            return
        line = self._line.decode("latin-1")
        try:
            if self._is_long:
                raise RefusedError("too long")
            if not (self.is_pinned or kind_of(line)):
                raise RefusedError("no AIM identifier")
            code = judge(line)
        except OtherError as error:
            self._clear()
            self.counts.frames += 1
            yield from self._state(str(error))
        except RefusedError as error:
            yield from self._refuse(str(error))
        else:
            self._clear()
            self.counts.frames += 1
            self.counts.checked += kind_of(line) in CHECKED
            yield from self._state("")
            yield PatientId(code)

    def _refuse(self, reason: str) -> Iterator[Output]:
        self.counts.refuse(reason)
        self.counts.skipped += len(self._line)
        self._clear()
        yield from self._state(reason)

    def _clear(self) -> None:
        self._line.clear()
        self._is_long = False

    def _state(self, reason: str) -> Iterator[Output]:
        if reason != self._refused:
            self._refused = reason
            yield Status("scan-refused", Phase.ON if reason else Phase.OFF, reason)
