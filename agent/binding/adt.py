"""HL7 v2 ADT: what a message says of this bed, or why it is not taken, and the acknowledgement. Pure.

Taken: A01 A02 A03 A08 A11 for this bed, A40 (merge). What is of another bed is acknowledged and says nothing.

Source: HL7 v2.5.1 chapter 2 (MSH, MSA, ACK; section 2.14.9.18 and table 0211 for character sets), 2A (CX, PL, XPN), 3
(ADT; 3.3.40 for A40). A message is read in the character set that its own MSH-18 names, and in no other: letters of
GB 18030 may have `|` or `^` as their second byte.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agent.binding import codes
from agent.binding.terms import Person
from agent.binding.words import Adt

MESSAGE_LIMIT_BYTES = 32_768
SEGMENTS_LIMIT_COUNT = 256
SEGMENTS = ("MSH|", "EVN|", "PID|", "PV1|", "MRG|")  # the others are not read
CONTROL_LIMIT_LETTERS = 199
TRIGGERS = ("A01", "A02", "A03", "A08", "A11", "A40")
ESCAPES = {"F": "|", "S": "^", "T": "&", "R": "~", "E": "\\"}
CODECS = {
    "": "utf-8",  # of which ASCII, the default, is a part
    "ASCII": "ascii",
    "UNICODE UTF-8": "utf-8",
    "UTF-8": "utf-8",
    "GB 18030-2000": "gb18030",
    "GB18030": "gb18030",
    **{f"8859/{part}": f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15)},
}


Message = dict[str, list[str]]


class Rules(msgspec.Struct, frozen=True):
    """`place` is PV1-3 as ward^room^bed; with it empty, only the bed is compared, with `bed`."""

    facility: str
    bed: str
    place: str = ""
    id_type: str = ""


class Judged(msgspec.Struct, frozen=True):
    """`code` is AA, AE or AR; `said` what the gateway is to be told, None if nothing; `why` it is not taken, in a word.

    `at`: when it was made, 14 digits of the sender's time or "".
    """

    code: str
    control: str = ""
    why: str = ""
    said: Adt | None = None
    at: str = ""
    trigger: str = ""


class _RefusedError(Exception):
    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


def judge(data: bytes, rules: Rules) -> Judged:
    """Of a message's bytes, whatever they are."""
    control = ""
    try:
        message = _message(data)
        control = _field(message, "MSH", 10)[:CONTROL_LIMIT_LETTERS]
        trigger = _header(message, rules)
        said = _said(message, trigger, rules)
    except _RefusedError as error:
        return Judged(error.code, control, error.why)
    return Judged("AA", control, "" if said else "other bed", said, _made(message), trigger)


def _message(data: bytes) -> Message:
    """In the character set that it names itself. Raises _RefusedError."""
    if len(data) > MESSAGE_LIMIT_BYTES:
        raise _RefusedError("AR", "size")
    if not data.startswith(b"MSH|^~\\&|") or data.count(b"\r") > SEGMENTS_LIMIT_COUNT:
        raise _RefusedError("AR", "form")
    for codec in dict.fromkeys(CODECS.values()):
        try:
            text = data.decode(codec)
            named = _charset(text)
            if CODECS.get(named) == codec:
                return _segments(text)
        except UnicodeDecodeError:
            continue
    raise _RefusedError("AR", "character set")


def _segments(text: str) -> Message:
    """The fields of the first segment of each kind that is read, by number: MSH-1 is the separator itself."""
    found: Message = {}
    for line in text.split("\r"):
        if line.startswith(SEGMENTS) and line[:3] not in found:
            fields = line.split("|")
            found[line[:3]] = ["MSH", "|", *fields[1:]] if line.startswith("MSH") else fields
    return found


def _charset(text: str) -> str:
    """MSH-18, its first repetition, by the first line alone."""
    fields = text.partition("\r")[0].split("|")
    return fields[17].partition("~")[0].strip().upper() if len(fields) > 17 else ""


def _header(message: Message, rules: Rules) -> str:
    """The trigger. Raises _RefusedError."""
    if not _field(message, "MSH", 10):
        raise _RefusedError("AR", "no control id")
    if rules.facility not in (_field(message, "MSH", 4), _field(message, "MSH", 6)):
        raise _RefusedError("AR", "facility")
    if _field(message, "MSH", 11) not in ("P", ""):
        raise _RefusedError("AR", "not production")
    if not _field(message, "MSH", 12).startswith("2."):
        raise _RefusedError("AR", "version")
    trigger = _field(message, "MSH", 9, 2)
    if _field(message, "MSH", 9) != "ADT" or trigger not in TRIGGERS:
        raise _RefusedError("AR", "type")
    return trigger


def _said(message: Message, trigger: str, rules: Rules) -> Adt | None:
    """None where it is of another bed. Raises _RefusedError."""
    is_here, was_here = _is_here(message, 3, rules), _is_here(message, 6, rules)
    if trigger == "A40":
        person, former = _person(message, rules), codes.normalised(_number(message, "MRG", 1, rules))
        if not former or former == person.id:
            raise _RefusedError("AE", "no patient number")
        return Adt(0, trigger, person, former)
    if not (is_here or (was_here and trigger in ("A02", "A11"))):
        return None
    leaves = trigger == "A02" and not is_here
    return Adt(0, trigger, _person(message, rules), was_here=leaves)


def _is_here(message: Message, field: int, rules: Rules) -> bool:
    """Whether a location of PV1 is this bed."""
    wanted = [part.strip() for part in rules.place.split("^")] if rules.place else []
    found = [_field(message, "PV1", field, part) for part in (1, 2, 3)]
    if wanted:
        return found == [*wanted, "", "", ""][:3]
    return bool(rules.bed) and found[2] == rules.bed


def _person(message: Message, rules: Rules) -> Person:
    """Raises _RefusedError where there is no number that could bind."""
    number = _number(message, "PID", 3, rules)
    parts = [_field(message, "PID", 5, part) for part in (1, 2, 3)]
    found = codes.person(Person(number, " ".join(part for part in parts if part), _field(message, "PID", 7)))
    if not found.id:
        raise _RefusedError("AE", "no patient number")
    return found


def _number(message: Message, segment: str, field: int, rules: Rules) -> str:
    """The first number, or the first of the type that is wanted; never another instead."""
    for repetition in range(1, 17):
        number = _field(message, segment, field, 1, repetition)
        if number and rules.id_type in ("", _field(message, segment, field, 5, repetition)):
            return number
    return ""


def _made(message: Message) -> str:
    """MSH-7, else EVN-2."""
    for segment, field in (("MSH", 7), ("EVN", 2)):
        digits = _field(message, segment, field)[:14]
        if len(digits) >= 12 and digits.isascii() and digits.isdecimal():
            return digits.ljust(14, "0")
    return ""


def _field(message: Message, segment: str, field: int, component: int = 1, repetition: int = 1) -> str:
    """Its first subcomponent, escapes resolved; "" where it is not there, or said to be deleted."""
    text = "".join(message.get(segment, [])[field : field + 1])
    for separator, number in (("~", repetition), ("^", component), ("&", 1)):
        text = "".join(text.split(separator)[number - 1 : number])
    return "" if text == '""' else _unescaped(text)


def _unescaped(text: str) -> str:
    """The separators that were escaped; what else was (highlighting, bytes in hex, other sets) is left out."""
    parts = text.split("\\")
    return "".join(part if at % 2 == 0 else ESCAPES.get(part, "") for at, part in enumerate(parts))


def acknowledgement(judged: Judged, own: Sequence[str], now: str) -> bytes:
    """`own`: our application and facility; `now`: 14 digits. ASCII; nothing of the message but its control id."""
    control = "".join(
        one if one.isascii() and one.isprintable() and one not in "|^~\\&" else "?" for one in judged.control
    )
    kind = f"ACK^{judged.trigger}^ACK" if judged.trigger else "ACK"
    lines = [
        f"MSH|^~\\&|{own[0]}|{own[1]}|||{now}||{kind}|{control or now}|P|2.5.1",
        f"MSA|{judged.code}|{control}",
    ]
    if judged.code != "AA":
        code = {"facility": "207", "type": "200", "version": "203", "not production": "202"}.get(judged.why, "207")
        lines.append(f"ERR|||{code}|E||||{judged.why}")
    return ("\r".join(lines) + "\r").encode("ascii", "replace")
