"""A recording without the patient: whatever the encoding, what the driver says of the patient stands in it no more."""

from __future__ import annotations

import pytest

from agent.cli.unnamed import NamedError, unnamed
from drivers.contract import Driver, Identity, Info, Integrity, Numeric, PatientId, Phase, Serial, Status
from drivers.framing import MORE, Bad, Frame, Framer, Skip, find

NAME = "Mensah^Kofi"


def frame(body: bytes) -> bytes:
    """02 | length | body | sum"""
    return bytes((2, len(body))) + body + bytes((sum(body) & 0xFF,))


class Page(Driver):
    """Frames of one letter and text: P patient, V value, U user, S what somebody typed. `encoding` is the device's."""

    info = Info("page", ("one",), (Serial(9600),), ("spo2",), Integrity.SUM, "none")
    encoding = "latin-1"

    def __init__(self, options=None) -> None:
        super().__init__(options)
        self._framer = Framer(self._cut, self.counts)

    def _cut(self, buffer: bytearray) -> Frame | Skip | Bad:
        away = find(buffer, b"\x02")
        if away is not None:
            return away
        if len(buffer) < 2 or len(buffer) < buffer[1] + 3:
            return MORE
        size = buffer[1] + 3
        body = bytes(buffer[2 : size - 1])
        return Frame(size, body) if sum(body) & 0xFF == buffer[size - 1] else Bad("sum")

    def on_bytes(self, data, now, source=""):
        for body in self._framer.feed(data):
            yield self.told(body)

    def told(self, body: bytes):
        text = body[1:]
        match body[:1]:
            case b"P":
                code, _, name = self.text(text).partition("|")
                return PatientId(code.strip(), name.strip())
            case b"U":
                return Status("user", Phase.ON, self.text(text))
            case b"S":
                return Identity("Maker", "Model", self.text(text))
        return Numeric("spo2", text[0], "%")

    def text(self, data: bytes) -> str:
        return data.decode(self.encoding)

    def pending(self) -> int:
        return len(self._framer)


def kind_of(decode, spell):
    return type("Page", (Page,), {"text": lambda self, data: decode(data)}), spell


KINDS = {
    "plain": kind_of(lambda data: data.decode("latin-1"), lambda text: text.encode("latin-1")),
    "wide": kind_of(lambda data: data.decode("utf-16-be"), lambda text: text.encode("utf-16-be")),
    "wide, low first": kind_of(lambda data: data.decode("utf-16-le"), lambda text: text.encode("utf-16-le")),
    "eighth bit": kind_of(
        lambda data: bytes(byte & 0x7F for byte in data).decode(), lambda text: bytes(ord(c) | 0x80 for c in text)
    ),
    "small letters": kind_of(lambda data: data.decode().title(), lambda text: text.lower().encode()),
    "turned": kind_of(lambda data: data[::-1].decode(), lambda text: text[::-1].encode()),
}
SECRETS = ("12345678", "Mensah", "Kofi", "mensah", "kofi")


def pieces(data: bytes, size: int) -> list[tuple[int, bytes]]:
    return [(start * 1_000_000, data[start : start + size]) for start in range(0, len(data), size)]


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("name", KINDS)
def test_what_the_driver_says_of_the_patient_is_gone_and_the_rest_is_as_it_was(name: str, size: int) -> None:
    kind, spell = KINDS[name]
    value = frame(b"V\x61")
    page = frame(b"P" + spell(f"12345678|{NAME}"))
    result = unnamed(kind, pieces(value + page + value + page + value, size))
    data = b"".join(one for _, one in result.chunks)
    assert len(data) == 3 * len(value) + 2 * len(page)
    assert [(at, len(one)) for at, one in result.chunks] == [(at, len(one)) for at, one in pieces(data, size)]
    assert data.startswith(value)
    assert data.endswith(value)
    assert data.count(value) == 3
    for secret in SECRETS:
        assert spell(secret) not in data
        assert not any(spelling in data for spelling in (secret.encode(), secret.encode("utf-16-le")))
    said = [one for at, piece in result.chunks for one in kind().on_bytes(piece, at)]
    assert not any(isinstance(one, PatientId) and (one.code or one.name).strip("X|^") for one in said)
    assert result.places
    assert result.filled_bytes


def test_a_name_elsewhere_in_the_recording_goes_too_and_before_it_was_said() -> None:
    kind, _ = KINDS["plain"]
    note = b"\xff ward 3, KOFI, number \x12\x34\x56\x78 or \x00\xbc\x61\x4e \xff"
    result = unnamed(kind, pieces(note + frame(b"P12345678|" + NAME.encode()), 50))
    data = b"".join(one for _, one in result.chunks)
    assert data.startswith(b"\xff ward 3, XXXX, number XXXX or \x00\xd8XX \xff")


def test_a_short_code_is_taken_out_of_its_own_frame_only() -> None:
    kind, _ = KINDS["plain"]
    result = unnamed(kind, [(0, frame(b"V7") + frame(b"P7|") + frame(b"V7"))])
    ((_, data),) = result.chunks
    assert data.count(frame(b"V7")) == 2
    assert b"P7" not in data


def test_what_somebody_typed_is_taken_for_a_name_and_a_serial_number_is_not() -> None:
    kind, _ = KINDS["plain"]
    kept = frame(b"SAB1234") + frame(b"V\x61")
    result = unnamed(kind, [(0, kept + frame(b"UAdjovi") + frame(b"Sadjovi"))])
    ((_, data),) = result.chunks
    assert data.startswith(kept)
    assert b"djovi" not in data
    assert unnamed(kind, [(0, kept)]).places == 0


def test_where_it_cannot_be_taken_out_there_is_no_result() -> None:
    class Stubborn(Page):
        def on_bytes(self, data, now, source=""):
            return [PatientId("12345678")]

    with pytest.raises(NamedError):
        unnamed(Stubborn, [(0, b"x" * 20)])
