"""The voucher: what is typed wrongly is seen, and what it holds is told to nobody."""

import string

import pytest

from wire import voucher
from wire.voucher import Voucher, VoucherError

ONE = Voucher("north", 1_800_000_000_000_000, bytes(range(32)), "https://enrol.example.org:8485", bytes(range(20)))
ALPHANUMERIC = set(string.digits + string.ascii_uppercase + " $%*+-./:")


def test_it_comes_back_and_fits_a_qr_code() -> None:
    text = ONE.text()
    assert voucher.read(text) == ONE
    assert text.startswith("WL1-")
    assert set(text) <= ALPHANUMERIC
    assert len(text) < 240


def test_a_person_may_write_it_in_small_letters_and_groups() -> None:
    text = ONE.text().lower()
    assert voucher.read(" " + "- ".join(text[i : i + 5] for i in range(0, len(text), 5)) + "\n") == ONE


def test_without_an_address_it_is_for_the_offline_road() -> None:
    offline = Voucher("north", 1, bytes(32), "", bytes(20))
    assert voucher.read(offline.text()) == offline


@pytest.mark.parametrize("at", range(4, len(ONE.text())))
def test_every_wrong_letter_is_seen(at: int) -> None:
    text = ONE.text()
    for letter in set("A7Q018") - {text[at]}:
        with pytest.raises(VoucherError):
            voucher.read(text[:at] + letter + text[at + 1 :])


def test_a_missing_a_doubled_and_two_changed_letters_are_seen() -> None:
    text = ONE.text()
    for at in range(4, len(text) - 1):
        for wrong in (
            text[:at] + text[at + 1 :],
            text[: at + 1] + text[at:],
            text[:at] + text[at + 1] + text[at] + text[at + 2 :],
        ):
            if wrong != text:
                with pytest.raises(VoucherError):
                    voucher.read(wrong)


@pytest.mark.parametrize(
    "text", ["", "WL1-", "WL2-AAAA", "WL1-AAAAAAAAAAAAAAAA", "WL1-" + "A" * 600, "WL1-\u00c4\u00df"]
)
def test_junk_is_no_voucher(text: str) -> None:
    with pytest.raises(VoucherError):
        voucher.read(text)


@pytest.mark.parametrize(
    "wrong",
    [
        Voucher("North", 1, bytes(32), "", bytes(20)),
        Voucher("north", 1, bytes(31), "", bytes(20)),
        Voucher("north", 1, bytes(32), "", bytes(19)),
        Voucher("north", -1, bytes(32), "", bytes(20)),
        Voucher("north", 1, bytes(32), "http://plain.example.org", bytes(20)),
        Voucher("north", 1, bytes(32), "https://who:what@example.org", bytes(20)),
    ],
)
def test_what_is_whole_and_wrong_is_refused(wrong: Voucher, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AssertionError):
        wrong.text()
    with monkeypatch.context() as unchecked:
        unchecked.setattr(voucher, "_fault", lambda _: "")
        text = wrong.text()
    with pytest.raises(VoucherError):
        voucher.read(text)


def test_nothing_tells_the_secret() -> None:
    secret = b"very secret voucher!"
    one = Voucher("north", 1, bytes(32), "", secret)
    assert one.name == voucher.name_of(secret)
    assert len(one.name) == 16
    assert "secret" not in repr(one) + str(one)
    with pytest.raises(VoucherError) as refused:
        voucher.read(one.text()[:-1] + "0")
    assert one.text()[4:20] not in str(refused.value)
