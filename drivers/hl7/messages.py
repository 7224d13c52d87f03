r"""Messages of HL7 version 2: segments of fields of repetitions of components.

    MSH|^~\&|application|facility|||time||ORU^R01^ORU_R01|control id|P|2.6|||AL|NE||UNICODE UTF-8
    OBX|1|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.3.1.150456|98|262688^MDC_DIM_PERCENT^MDC|||||R

The separators stand in MSH-1 and MSH-2, the character set in MSH-18. Fields count from 1, as the standard counts them.
Source: HL7 v2.3.1 and v2.6, chapter 2, "Control", and its table 0211 of character sets.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

SEGMENTS_LIMIT = 4096
CHARSETS = {
    "ASCII": "ascii",
    "8859/1": "iso8859-1",
    "8859/2": "iso8859-2",
    "8859/5": "iso8859-5",
    "8859/7": "iso8859-7",
    "8859/9": "iso8859-9",
    "8859/15": "iso8859-15",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "GB 18030-2000": "gb18030",
    "BIG-5": "big5",
}


@dataclass(frozen=True, slots=True)
class Separators:
    """What stands between fields, components, repetitions and subcomponents, and what escapes them."""

    field: str
    component: str
    repetition: str
    escape: str
    sub: str

    def plain(self, text: str) -> str:
        r"""A text with its escapes undone: \F\ \S\ \T\ \R\ \E\ and \X..\ ; others (\H\, \.br\) are a space at most."""
        if self.escape not in text:
            return text
        mark = re.escape(self.escape)
        return re.sub(f"{mark}([^{mark}]*){mark}", lambda found: self._undone(found[1]), text)

    def _undone(self, code: str) -> str:
        named = {"F": self.field, "S": self.component, "T": self.sub, "R": self.repetition, "E": self.escape}
        if code in named:
            return named[code]
        if re.fullmatch(r"X([0-9A-Fa-f]{2})+", code):
            return bytes.fromhex(code[1:]).decode("latin-1")
        return " " if code.startswith(".") else ""


@dataclass(frozen=True, slots=True)
class Segment:
    name: str
    fields: tuple[str, ...]  # raw; [0] is the name
    separators: Separators

    def field(self, number: int) -> str:
        """As it was sent; empty where there is none."""
        return self.fields[number] if number < len(self.fields) else ""

    def text(self, number: int) -> str:
        """A whole field with its escapes undone."""
        return self.separators.plain(self.field(number))

    def parts(self, number: int) -> list[str]:
        """The components of a field's first repetition."""
        return self.repeated(number)[0]

    def part(self, number: int, component: int) -> str:
        """One of them, counted from 1."""
        parts = self.parts(number)
        return parts[component - 1] if component <= len(parts) else ""

    def repeated(self, number: int) -> list[list[str]]:
        """All repetitions of a field; one that is empty where there is none."""
        plain, between = self.separators.plain, self.separators.component
        repetitions = self.field(number).split(self.separators.repetition)
        return [[plain(part) for part in one.split(between)] for one in repetitions]


@dataclass(frozen=True)
class Message:
    """`segments` begin with MSH. `charset` is what it names and we do not know, empty otherwise; `codec` gives the
    bytes of a raw text back.
    """

    segments: tuple[Segment, ...]
    charset: str = ""
    codec: str = "utf-8"

    @cached_property
    def header(self) -> Segment:
        return self.segments[0]

    def all(self, name: str) -> list[Segment]:
        return [segment for segment in self.segments if segment.name == name]

    def first(self, name: str) -> Segment | None:
        return next((segment for segment in self.segments if segment.name == name), None)


def parse(data: bytes) -> Message | None:
    """None where this is no message: no MSH, separators that are not five different signs, no type."""
    head = re.match(rb"\s*MSH([^\w\s])([^\w\s]{4})\1", data)
    if head is None or len(set(head[1] + head[2])) != 5:
        return None
    separators = Separators(head[1].decode("latin-1"), *head[2].decode("latin-1"))
    charset = _charset(data, separators)
    text, codec = _decoded(data, charset)
    lines = [line for line in re.split("[\r\n]+", text) if line]
    if len(lines) > SEGMENTS_LIMIT:
        return None
    segments = tuple(_segment(line, separators) for line in lines)
    if not segments or segments[0].name != "MSH" or not segments[0].field(9):
        return None
    return Message(segments, "" if not charset or charset.upper() in CHARSETS else charset, codec)


def _segment(line: str, separators: Separators) -> Segment:
    name, *fields = line.lstrip().split(separators.field)
    if name == "MSH":
        fields.insert(0, separators.field)  # the separator itself is MSH-1
    return Segment(name, (name, *fields), separators)


def _charset(data: bytes, separators: Separators) -> str:
    """The first set that MSH-18 names: the separators of a line in any of them are ASCII before its first letter."""
    line = re.split(b"[\r\n]", data.lstrip(), maxsplit=1)[0]
    fields = line.decode("latin-1").split(separators.field)
    return fields[17].split(separators.repetition)[0].strip() if len(fields) > 17 else ""


def _decoded(data: bytes, charset: str) -> tuple[str, str]:
    """In the named set; where none or an unknown one is named, UTF-8, or if it is none, each byte as it is."""
    codec = CHARSETS.get(charset.upper(), "utf-8")
    try:
        return data.decode(codec), codec
    except UnicodeDecodeError:
        return data.decode("latin-1"), "latin-1"
