"""barcode_reader: what is a wristband and what is not, by the rules of its symbologies."""

import pytest

from drivers.contract import Output, PatientId, Status
from drivers.devices.barcode_reader import GAP_NS, LINE_LIMIT_BYTES, BarcodeReader, RefusedError, judge, mod10, mod43

GSRN = "350123456789012349"


def heard(*chunks: bytes, gap_ns: int = 0) -> tuple[BarcodeReader, list[Output]]:
    driver = BarcodeReader()
    return driver, [output for at, chunk in enumerate(chunks) for output in driver.on_bytes(chunk, at * gap_ns)]


def codes(said: list[Output]) -> list[str]:
    return [one.code for one in said if isinstance(one, PatientId)]


def test_check_digits_of_the_standards() -> None:
    assert mod10("35012345678901234") == GSRN[-1]
    assert mod10("629104150021") == "3", "EAN-13 of the GS1 General Specifications"
    assert mod43("CODE39") == "W"


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("4711", "4711"),
        ("]C0PAT-000123", "PAT-000123"),
        ("]Q1a b", "a b"),
        (f"]C18018{GSRN}", GSRN),
        (f"]e08018{GSRN}8019123", GSRN),
        (f"]d2\x1d8018{GSRN}\x1d", GSRN),
        ("]A1CODE39W", "CODE39"),
        ("]A0CODE39W", "CODE39W"),
        ("]I16291041500213", "629104150021"),
        ("x" * 48, "x" * 48),
    ],
)
def test_a_wristband(line: str, code: str) -> None:
    assert judge(line) == code


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (f"]C18018{GSRN[:-1]}7", "check digit"),
        ("]C10106291041500213", "no recipient (8018)"),
        (f"]C18017{GSRN}", "no recipient (8018)"),
        (f"]C18018{GSRN}10LOT", "no recipient (8018)"),
        ("]E06291041500213", "product"),
        ("]A1CODE39X", "check digit"),
        ("]A1W", "check digit"),
        ("]A1code39W", "check digit"),
        ("]I16291041500214", "check digit"),
        ("]I1", "check digit"),
        ("47", "form"),
        ("x" * 49, "form"),
        (" 4711", "form"),
        ("=A99991512345600", "form"),
        ("47\x1d11", "control character"),
        ("47\x1a11", "control character"),
        ("47\x7f11", "control character"),
        ("47\xe911", "control character"),
    ],
)
def test_no_wristband(line: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason.replace("(", "\\(").replace(")", "\\)")):
        judge(line)


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n", b"\n\n"])
def test_every_end_of_a_line_ends_it_once(end: bytes) -> None:
    driver, said = heard(b"4711" + end + b"4712" + end)
    assert codes(said) == ["4711", "4712"]
    assert (driver.counts.frames, driver.counts.skipped, driver.pending()) == (2, 0, 0)


def test_a_scan_is_said_each_time() -> None:
    assert codes(heard(b"4711\r\n4711\r\n")[1]) == ["4711", "4711"]


def test_what_stood_on_the_line_before_is_no_beginning_of_a_code() -> None:
    assert codes(heard(b"9", b"4711\r", gap_ns=GAP_NS)[1]) == ["94711"]
    driver, said = heard(b"9", b"4711\r", gap_ns=GAP_NS + 1)
    assert codes(said) == ["4711"]
    assert (driver.counts.reasons, driver.counts.skipped) == ({"broken off": 1}, 1)


def test_the_end_of_a_long_line_is_no_code() -> None:
    driver, said = heard(*[b"7"] * (LINE_LIMIT_BYTES + 60), b"\r4711\r")
    assert codes(said) == ["4711"]
    assert (driver.counts.reasons, driver.counts.skipped) == ({"too long": 1}, LINE_LIMIT_BYTES + 60)


def test_the_reason_stands_until_the_next_good_scan() -> None:
    _, said = heard(b"]E0123\r]E0123\r4711\r4711\r")
    assert [(one.phase.value, one.text) for one in said if isinstance(one, Status)] == [("on", "product"), ("off", "")]


def test_what_is_read_well_and_is_no_wristband_is_a_good_frame_that_names_nobody() -> None:
    driver, said = heard(b"]E04006381333931\r]C10104006381333931\r")
    assert codes(said) == []
    assert (driver.counts.frames, driver.counts.bad, driver.counts.skipped) == (2, 0, 0)


def test_only_what_is_checked_here_counts_as_checked() -> None:
    checked = [f"]C18018{GSRN}", f"]Q3\x1d8018{GSRN}", "]A1CODE39W", "]I16291041500213"]
    others = ["4711", GSRN, "]C0PAT-1", "]A0CODE39W", "]A3CODE39", "]I06291041500213", "]E04006381333931", "]C1008018"]
    assert heard(*[f"{one}\r".encode() for one in checked])[0].counts.checked == 4
    assert heard(*[f"{one}\r".encode() for one in others])[0].counts.checked == 0


def test_where_nobody_pinned_it_a_line_without_identifier_is_nobodys() -> None:
    driver = BarcodeReader.unpinned()
    said = list(driver.on_bytes(f"4711\r]C0PAT-1\r]C18018{GSRN}\r4711\r".encode(), 0))
    assert codes(said) == ["PAT-1", GSRN]
    assert (driver.counts.reasons, driver.counts.skipped) == ({"no AIM identifier": 2}, 8)
