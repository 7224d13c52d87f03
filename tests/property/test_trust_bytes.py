"""Whatever arrives, signed or not, is refused in our words: no other exception, and no more work than bytes."""

from __future__ import annotations

import base64
import contextlib
import os
import random
from collections.abc import Callable, Iterator

import pytest

from tests import trusted
from tests.unit import test_directory, test_request
from wire import directory, request, voucher
from wire.directory import DirectoryError
from wire.request import RequestError
from wire.voucher import VoucherError

TRIES = int(os.environ.get("WARDLINK_TRIES", "500"))
ROOTS = [test_directory.ROOT.der]
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


def damaged(whole: bytes, dice: random.Random) -> bytes:
    """Bytes changed, cut out, doubled or put in, in up to four places."""
    data = bytearray(whole)
    for _ in range(dice.randint(1, 4)):
        at, size = dice.randrange(len(data) + 1), dice.choice((1, 1, 1, 2, 8, 40))
        what = dice.randrange(4)
        if what == 0:
            data[at : at + size] = dice.randbytes(min(size, len(data) - at))
        elif what == 1:
            del data[at : at + size]
        elif what == 2:
            data[at:at] = data[at : at + size]
        else:
            data[at:at] = dice.choice((b"\xff", b"\x9f", b"\xc2\x41\x01", b"\x1b" + b"\xff" * 8, b"\xf6", b"\x80"))
    return bytes(data)


def tried(whole: bytes, seed: int) -> Iterator[bytes]:
    dice = random.Random(seed)
    return (damaged(whole, dice) for _ in range(TRIES))


def signed(data: bytes, label: bytes, number: int) -> bytes:
    """With a signature that holds, so that what is behind it is reached."""
    return data + trusted.key(number).sign(label + data)


@pytest.mark.parametrize(
    ("whole", "label", "number", "read", "error"),
    [
        (
            request.sign(test_request.GATEWAY, test_request.ENROL)[:-64],
            b"wardlink request 1",
            7,
            request.read,
            RequestError,
        ),
        (
            test_directory.signed()[:-64],
            b"wardlink directory 1",
            2,
            lambda data: directory.read(ROOTS, "north", data),
            DirectoryError,
        ),
        (
            test_request.answered()[:-64],
            b"wardlink answer 1",
            2,
            lambda data: request.read_answer(ROOTS, data),
            RequestError,
        ),
    ],
    ids=["request", "directory", "answer"],
)
def test_damaged_and_signed_again(
    whole: bytes, label: bytes, number: int, read: Callable[[bytes], object], error: type[Exception]
) -> None:
    for data in tried(whole, number):
        with contextlib.suppress(error):
            read(signed(data, label, number))
        with contextlib.suppress(error):
            read(data)


def test_damaged_signing_requests_and_vouchers() -> None:
    for csr in tried(trusted.csr(trusted.key(7)), 1):
        with contextlib.suppress(RequestError):
            request.applicant(csr)
    whole = base64.b32decode(voucher_body())
    for body in tried(whole, 2):
        text = base64.b32encode(body + voucher._checksum(body)).decode().rstrip("=")
        with contextlib.suppress(VoucherError):
            voucher.read(f"WL1-{text}")


def voucher_body() -> str:
    from tests.unit.test_voucher import ONE

    letters = ONE.text().removeprefix("WL1-")
    padded = letters + "=" * (-len(letters) % 8)
    return base64.b32encode(base64.b32decode(padded)[:-4]).decode()
