"""Row 26: a wristband is text of a stranger: control characters, SQL, four kilobytes, another hospital's number.

It names a patient only in the form of a code, and is kept as data: the store of the centre is asked with parameters. A
recipient's number of another hospital is a good number: it is passed on as what was scanned, for a person to confirm,
and nobody is associated by it. (Whose prefixes a hospital takes, and the page that refuses, are the bedside page's.)
"""

from __future__ import annotations

import pytest

from drivers.contract import Output, PatientId, Status
from drivers.devices.barcode_reader import LINE_LIMIT_BYTES, BarcodeReader, mod10
from tests.unit.test_bundle import RECORDS  # noqa: F401  the bundles that carry it are proven there
from wire.bundle import pack_vital, read_vital
from wire.records import Association, PatientIdAt

ELSEWHERE = "978123456789012345"[:17]
SQL = "'; DROP TABLE envelope; --"


def scanned(line: bytes, pinned: bool = True) -> tuple[BarcodeReader, list[Output]]:
    reader = BarcodeReader() if pinned else BarcodeReader.unpinned()
    return reader, [*reader.on_open(0), *reader.on_bytes(line, 1)]


def named(said: list[Output]) -> list[str]:
    return [one.code for one in said if isinstance(one, PatientId)]


@pytest.mark.parametrize("code", [*range(0x20), 0x7F, *range(0x80, 0x100)])
def test_no_control_character_and_no_letter_beyond_ascii_names_anybody(code: int) -> None:
    for line in (b"PAT-%c0123\r" % code, b"]C1%c8018350123456789012349\r" % code, b"PAT-0123%c\r" % code):
        _, said = scanned(line)
        for name in named(said):
            assert name.isprintable()
            assert name.isascii()
            assert code in (0x0D, 0x0A, 0x1D) or chr(code) not in name


@pytest.mark.parametrize("text", [SQL, "\x1b[2J", "<script>alert(1)</script>", "../../etc/passwd", "${jndi:ldap://x}"])
def test_what_begins_as_no_code_is_refused(text: str) -> None:
    reader, said = scanned(text.encode() + b"\r\n")
    assert named(said) == []
    assert reader.counts.bad == 1


@pytest.mark.parametrize("size", [LINE_LIMIT_BYTES + 1, 4096, 1 << 20])
def test_four_kilobytes_are_nobody_and_cost_a_line(size: int) -> None:
    reader, said = scanned(b"A" * size + b"\r" + b"PAT-000123\r")
    assert named(said) == ["PAT-000123"]
    assert reader.pending() == 0
    assert [one.text for one in said if isinstance(one, Status)][:1] == ["too long"]


def test_sql_behind_a_good_beginning_is_data_and_stays_data() -> None:
    _, said = scanned(b"A" + SQL.encode() + b"\r")
    (code,) = named(said)
    record = PatientIdAt(0, 1, code, "")
    assert read_vital(pack_vital([record])) == [record]


def test_a_recipient_of_another_hospital_is_said_as_scanned_and_binds_nobody() -> None:
    number = ELSEWHERE + mod10(ELSEWHERE)
    _, said = scanned(f"]C18018{number}\r".encode())
    assert named(said) == [number]
    assert not any(isinstance(one, Association) for one in said)


def test_where_nobody_pinned_it_only_what_is_checked_counts() -> None:
    assert named(scanned(b"PAT-000123\r", pinned=False)[1]) == []
