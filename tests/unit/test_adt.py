"""HL7 ADT: what a message says of this bed, in every character set, and what is refused with which code."""

from __future__ import annotations

import pytest

from agent.binding.adt import MESSAGE_LIMIT_BYTES, Rules, acknowledgement, judge
from agent.binding.words import Person
from tests.fuzz.adt import NAMES, RULES, message, noise


@pytest.mark.parametrize(("charset", "name"), list(NAMES.items()))
def test_the_name_as_written_in_every_character_set(charset: str, name: str) -> None:
    judged = judge(message(charset, name), RULES)
    assert (judged.code, judged.control, judged.trigger) == ("AA", "42", "A01")
    assert judged.said is not None
    assert judged.said.person == Person("4711", name.replace("^", " "), "1981-12-31")


def test_second_bytes_that_look_like_separators() -> None:
    """In GB 18030 a letter may end in | ^ or a backslash: it is read in its own set, or not at all."""
    tricky = "".join(chr(one) for one in range(0x4E00, 0x9FA5) if set(chr(one).encode("gb18030")) & set(b"|^~\\&"))[:60]
    judged = judge(message("GB18030", f"{tricky}^丽"), RULES)
    assert judged.said is not None
    assert judged.said.person.name == f"{tricky} 丽"
    assert judge(message("8859/1", "Zoé^Z").replace(b"8859/1", b"UNICODE UTF-8"), RULES).why == "character set"
    assert judge(message().replace(b"||||||\r", b"||||||KOI8-R\r"), RULES).why == "character set"


@pytest.mark.parametrize(
    ("old", "new", "code", "why"),
    [
        ("LOKOSSA|", "ELSEWHERE|", "AR", "facility"),
        ("ADT^A01^ADT_A01", "ADT^A04^ADT_A01", "AR", "type"),
        ("ADT^A01^ADT_A01", "ORU^R01", "AR", "type"),
        ("|P|", "|T|", "AR", "not production"),
        ("|2.5.1|", "|3.0|", "AR", "version"),
        ("|42|", "||", "AR", "no control id"),
        ("^LOK^MR", "^LOK^PI", "AE", "no patient number"),
        ("~4711^", "~^", "AE", "no patient number"),
        ("MED^12^3^", "MED^12^9^", "AA", "other bed"),
        ("PV1|", "PV9|", "AA", "other bed"),
        ("MSH|^~\\&|", "MSH|^~\\#|", "AR", "form"),
    ],
)
def test_what_is_not_taken(old: str, new: str, code: str, why: str) -> None:
    judged = judge(message().replace(old.encode(), new.encode()), RULES)
    assert (judged.code, judged.why, judged.said) == (code, why, None)
    said = acknowledgement(judged, ("WARDLINK", "LOKOSSA"), "20261122101501")
    assert f"MSA|{code}|".encode() in said
    assert b"Doe" not in said


def test_a02_here_and_away_a11_and_a40() -> None:
    here = judge(message().replace(b"A01^ADT_A01", b"A02"), RULES).said
    away = judge(
        message().replace(b"A01^ADT_A01", b"A02").replace(b"MED^12^3^", b"MED^1^1^").replace(b"^12^4", b"^12^3"), RULES
    ).said
    assert (here.was_here, away.was_here) == (False, True)
    merged = message().replace(b"ADT^A01^ADT_A01", b"ADT^A40") + b"MRG|815^^^LOK^MR\r"
    assert judge(merged, RULES).said.former == "815"
    assert judge(message().replace(b"ADT^A01^ADT_A01", b"ADT^A40"), RULES).why == "no patient number"
    for trigger in (b"A03", b"A08", b"A11"):
        assert judge(message().replace(b"A01^ADT_A01", trigger), RULES).said.trigger == trigger.decode()


def test_the_bed_alone_where_no_place_is_configured() -> None:
    rules = Rules("LOKOSSA", "3")
    assert judge(message(), rules).said is not None
    assert judge(message(), Rules("LOKOSSA", "")).said is None, "no bed is no wildcard"
    assert judge(message(), Rules("LOKOSSA", "4")).said is None


def test_nothing_of_a_hostile_control_id_shapes_the_answer() -> None:
    judged = judge(message().replace(b"|42|", b"|4\\T\\2\\F\\MSA\x1b[2J|"), RULES)
    said = acknowledgement(judged, ("WARDLINK", "LOKOSSA"), "20261122101501")
    assert said.count(b"\r") == 2
    assert b"\x1b" not in said
    assert said.count(b"MSA|") == 1


def test_noise_is_refused_and_never_raises() -> None:
    """Damaged messages, quick; `python -m tests.fuzz.adt` is the long one."""
    assert noise(27, 400_000) > 500
    assert judge(b"MSH|^~\\&|" + b"x" * MESSAGE_LIMIT_BYTES, RULES).why == "size"
