"""Certificates against an interval: read as cryptography reads them, never accepted because nobody knows the date."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.uplink.dates import Dates, DatesError, Known, check, dates_of, day
from wire.validity import DateError, validity

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "somebody with a name that is a little longer" * 1)])
S = 1_000_000
WHEN = st.datetimes(datetime.datetime(1950, 1, 1), datetime.datetime(2200, 1, 1))  # noqa: DTZ001  X.509 is UTC


def made(begin: datetime.datetime, end: datetime.datetime, names: int = 1) -> x509.Certificate:
    hosts = x509.SubjectAlternativeName([x509.DNSName(f"{n}.example.org") for n in range(names)])
    draft = x509.CertificateBuilder().subject_name(NAME).issuer_name(NAME).public_key(KEY.public_key())
    draft = draft.serial_number(1 << 100).not_valid_before(begin).not_valid_after(end).add_extension(hosts, False)
    return draft.sign(KEY, None)


@settings(max_examples=60, deadline=None)
@given(WHEN, WHEN, st.sampled_from([1, 10, 3000]))
def test_dates_are_those_that_cryptography_reads(one, other, names) -> None:
    certificate = made(min(one, other), max(one, other), names)
    begin, end = validity(certificate.public_bytes(Encoding.DER))
    assert begin == certificate.not_valid_before_utc.timestamp() * S
    assert end == certificate.not_valid_after_utc.timestamp() * S + S - 1


@settings(deadline=None)
@given(st.binary(max_size=400), st.integers(0, 300), st.integers(0, 255))
def test_what_is_no_certificate_is_an_error_of_ours(noise, at, byte) -> None:
    der = bytearray(made(datetime.datetime(2026, 1, 1), datetime.datetime(2027, 1, 1)).public_bytes(Encoding.DER))  # noqa: DTZ001
    der[at % len(der)] = byte
    for data in (noise, bytes(der), bytes(der)[:at]):
        try:
            begin, end = validity(data)
        except DateError:
            continue
        assert begin % S == 0
        assert end % S == S - 1


def test_a_chain_holds_while_all_of_it_does() -> None:
    years = [made(datetime.datetime(y, 1, 1), datetime.datetime(y + 3, 1, 1)) for y in (2026, 2024, 2025)]  # noqa: DTZ001
    dates = dates_of(one.public_bytes(Encoding.DER) for one in years)
    assert (day(dates.begin), day(dates.end)) == ("2026-01-01 00:00 UTC", "2027-01-01 00:00 UTC")


HELD = Dates(1000 * S, 2000 * S)


@pytest.mark.parametrize(
    "known",
    [Known(1000 * S, 2000 * S, "ntp"), Known(1500 * S, 1500 * S, "wall"), Known(1000 * S, 1000 * S, "floor", 0)],
)
def test_what_surely_holds_is_taken(known: Known) -> None:
    check(HELD, known, "it")


@pytest.mark.parametrize(
    ("known", "words", "hint"),
    [
        (Known(2001 * S, 2002 * S, "ntp"), "has expired", "renew"),
        (Known(1999 * S, 2001 * S, "mqtt"), "may have expired", "renew"),
        (Known(998 * S, 999 * S, "ntp"), "is not valid yet", "wrong clock"),
        (Known(999 * S, 1001 * S, "ntp"), "may not be valid yet", "wrong clock"),
        (Known(4_070_908_800 * S, 4_070_908_800 * S, "wall"), "2099-01-01 00:00 UTC by this machine's clock", "NTP"),
        (Known(999 * S, 999 * S, "floor", 5 * S), "the clock says 1970-01-01 00:00", "NTP"),
        (Known(2001 * S, 2001 * S, "floor", 5 * S), "has expired", "NTP"),
        (Known(1 << 61, 1 << 61, "wall"), "beyond all calendars", "NTP"),
    ],
)  # fmt: skip
def test_what_may_not_hold_is_refused_in_words(known: Known, words: str, hint: str) -> None:
    with pytest.raises(DatesError) as caught:
        check(HELD, known, "the broker's certificate")
    assert words in caught.value.message
    assert hint in caught.value.hint
