"""HL7 messages: separators, escapes, repetitions and character sets, whatever they are."""

import pytest

from drivers.hl7.messages import parse

HEAD = rb"MSH|^~\&|app^1|fac|||20260101||ORU^R01|5|P|2.6|||AL|NE||"


def field(data: bytes, number: int = 5) -> list[list[str]]:
    message = parse(HEAD + data)
    assert message is not None
    obx = message.first("OBX")
    assert obx is not None
    return obx.repeated(number)


def test_fields_count_as_the_standard_counts_them() -> None:
    message = parse(HEAD + b"ASCII\rOBX|1|NM|a^b|c|d~e&f^g\r")
    assert message is not None
    header, obx = message.segments
    assert [header.field(n) for n in (1, 2, 4, 9, 12, 18, 40)] == ["|", r"^~\&", "fac", "ORU^R01", "2.6", "ASCII", ""]
    assert (header.part(9, 2), header.part(9, 3), obx.part(3, 1), obx.part(20, 1)) == ("R01", "", "a", "")
    assert obx.repeated(5) == [["d"], ["e&f", "g"]]
    assert message.all("PID") == []


def test_separators_are_the_senders_own() -> None:
    message = parse(b"MSH#*@!%#app#####x#ORU*R01#5#P#2.6\rOBX##NM#a*b##1!F!2@3*4")
    assert message is not None
    assert message.segments[1].repeated(5) == [["1#2"], ["3", "4"]]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (r"a\F\b", "a|b"),
        (r"a\S\b", "a^b"),
        (r"a\T\b\R\c", "a&b~c"),
        (r"a\E\b", "a\\b"),
        (r"\X4142\c", "ABc"),
        (r"\XZZ\c", "c"),
        (r"\H\bold\N\ ", "bold "),
        (r"one\.br\two", "one two"),
        (r"a\b", r"a\b"),
        (r"\E\F\E\ ", "\\F\\ "),
    ],
)
def test_escapes(text: str, plain: str) -> None:
    assert field(b"\rOBX|1|ST|a||" + text.encode()) == [[plain]]


@pytest.mark.parametrize(
    ("charset", "codec", "text"),
    [
        ("UNICODE UTF-8", "utf-8", "王书梅"),
        ("unicode utf-8", "utf-8", "µV"),
        ("GB 18030-2000", "gb18030", "王书梅"),
        ("8859/5", "iso8859-5", "ЧСС"),
        ("8859/1~UNICODE UTF-8", "latin-1", "é"),
        ("", "utf-8", "é"),
        ("", "latin-1", "é"),
        ("ISO IR87", "latin-1", "é"),
    ],
)
def test_character_sets(charset: str, codec: str, text: str) -> None:
    assert field(charset.encode() + b"\rOBX|1|ST|a||" + text.encode(codec) + b"|x") == [[text]]


@pytest.mark.parametrize("second", [0x5C, 0x5E, 0x7C, 0x7E])
def test_a_second_byte_that_looks_like_a_separator_is_none(second: int) -> None:
    sly = bytes([0x81, second])
    assert field(b"GB 18030-2000\rOBX|1|ST|a||" + sly + b"|x") == [[sly.decode("gb18030")]]


def test_an_unknown_character_set_is_said() -> None:
    message = parse(HEAD + b"ISO IR87\rOBX|1")
    assert message is not None
    assert message.charset == "ISO IR87"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PID|1",
        b"MSH",
        b"MSH|^~\\&",
        b"MSH|^~\\^|a|b|c|d|e|f|ORU^R01",
        b"MSH|^~&|a|b|c|d|e|f|ORU^R01",
        b"MSH|^~\\&|a|b|c|d|e|f||5",
        HEAD + 5000 * b"\rOBX|1",
    ],
)
def test_what_is_no_message(data: bytes) -> None:
    assert parse(data) is None
