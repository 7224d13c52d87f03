"""Who asks too often waits; nobody else does. And a label is what a telephone can read."""

import re
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre.fleet import label, limiter, passphrase
from centre.fleet.limiter import Limiter, neighbourhood
from centre.fleet.store import FleetError


def test_a_burst_and_then_one_at_a_time() -> None:
    pace = Limiter(burst=3, every_s=10.0)
    assert [pace.allows("a", 0.0) for _ in range(4)] == [True, True, True, False]
    assert pace.allows("b", 0.0)
    assert not pace.allows("a", 9.9)
    assert pace.allows("a", 10.0)
    assert not pace.allows("a", 10.0)
    assert [pace.allows("a", 1000.0) for _ in range(4)] == [True, True, True, False]


def test_who_goes_on_asking_is_not_punished_for_ever() -> None:
    pace = Limiter(burst=1, every_s=10.0)
    assert [pace.allows("a", float(second)) for second in range(30)].count(True) == 3


def test_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limiter, "NAMES_LIMIT_COUNT", 10)
    pace = Limiter(burst=1, every_s=10.0)
    for number in range(100):
        assert pace.allows(str(number), 0.0)
    assert not pace.allows("99", 0.0)
    assert len(pace._free_at) <= 10


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("nonsense", "", True),
    ],
)
def test_who_counts_as_one(one: str, other: str, same: bool) -> None:
    assert (neighbourhood(one) == neighbourhood(other)) is same


def test_a_label_is_small_and_in_the_mode_of_capitals(tmp_path) -> None:
    text = "WL1-" + "A7" * 100
    made = label._made(text)
    assert (made.mode, made.error) == ("alphanumeric", "M")
    assert made.version <= 9
    for kind in ("png", "svg", "txt"):
        label.save(text, tmp_path / f"voucher.{kind}")
    assert (tmp_path / "voucher.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(FleetError, match="png, svg, txt"):
        label.save(text, tmp_path / "voucher.jpg")


def test_a_passphrase_is_slow_to_guess_and_openssl_reads_it_too(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(passphrase, "_P", 8)  # as it is where no test is
    key = Ed25519PrivateKey.generate()
    file = tmp_path / "root.pem"
    file.write_bytes(passphrase.sealed(key, "six words of a dictionary"))
    shown = subprocess.run(["openssl", "asn1parse", "-in", file], capture_output=True, text=True, check=True).stdout
    assert "scrypt" in shown
    assert re.search(r"INTEGER +:4000", shown), "N is 16384"
    words = ["openssl", "pkey", "-in", file, "-passin", "pass:six words of a dictionary", "-pubout", "-outform", "DER"]
    public = subprocess.run(words, capture_output=True, check=True).stdout
    assert public.endswith(key.public_key().public_bytes_raw())
    with pytest.raises(FleetError, match="does not open"):
        passphrase.opened(file.read_bytes(), "six words of a dictionary ")
