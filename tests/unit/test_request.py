"""Request and answer: each side proves what it holds, and nothing altered gets through."""

import contextlib
import hashlib

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from tests import trusted
from tests.trusted import Authority
from wire import request
from wire.keys import gateway_id
from wire.request import Answer, Request, RequestError

GATEWAY = trusted.key(7)
NAME = gateway_id(GATEWAY.public_key())
ENROL = Request("enrol", "north", trusted.csr(GATEWAY), b"s" * 20, b"n" * 16, 1_790_000_000_000_000, "Raspberry Pi 4")
ROOT = trusted.root(1)
ISSUING = ROOT.signs("issuing", trusted.key(2))
LEAF = ISSUING.signs(NAME, GATEWAY, ca=False)
ANSWER = Answer(NAME, b"n" * 16, [LEAF.der, ISSUING.der], [ROOT.der], b"directory")
HASH = hashlib.sha256(ROOT.der).digest()


def answered(said: Answer = ANSWER, by: Authority = ISSUING) -> bytes:
    return request.sign_answer(by.key, said)


def flipped(data: bytes) -> list[bytes]:
    return [data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :] for at in range(len(data))]


def test_a_request_comes_back() -> None:
    data = request.sign(GATEWAY, ENROL)
    assert request.read(data) == ENROL
    assert request.read(data).gateway == NAME
    assert "ssss" not in repr(ENROL)
    renewal = msgspec.structs.replace(ENROL, kind="renew", voucher=b"")
    assert request.read(request.sign(GATEWAY, renewal)) == renewal


def test_every_flipped_byte_of_a_request_is_refused() -> None:
    for wrong in flipped(request.sign(GATEWAY, ENROL)):
        with pytest.raises(RequestError):
            request.read(wrong)


def test_only_the_gateway_itself_asks_for_itself() -> None:
    with pytest.raises(RequestError, match="not the gateway's"):
        request.read(request.sign(trusted.key(8), ENROL))
    other = msgspec.structs.replace(ENROL, csr=trusted.csr(GATEWAY, "another"))
    with pytest.raises(RequestError, match="not the hash"):
        request.read(request.sign(GATEWAY, other))
    for csr in (b"", b"junk", b"0" * 3000, trusted.csr(GATEWAY)[:-1]):
        with pytest.raises(RequestError):
            request.applicant(csr)


def test_a_signing_request_that_was_altered_names_nobody_else() -> None:
    through = 0
    for csr in flipped(trusted.csr(GATEWAY)):
        with contextlib.suppress(RequestError):
            assert gateway_id(request.applicant(csr)) == NAME
            through += 1
    assert through <= 1  # the name of the algorithm, which stands outside of what is signed


def test_another_kind_of_key_is_refused() -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding

    builder = x509.CertificateSigningRequestBuilder().subject_name(trusted.name(NAME))
    with pytest.raises(RequestError, match="Ed25519"):
        request.applicant(builder.sign(generate_private_key(SECP256R1()), SHA256()).public_bytes(Encoding.DER))


@pytest.mark.parametrize(
    "change",
    [
        {"voucher": b""},
        {"voucher": b"s" * 21},
        {"kind": "renew"},
        {"kind": "revoke"},
        {"site": "NORTH"},
        {"nonce": b"n"},
        {"issued": -1},
        {"board": "x" * 65},
        {"board": "two\nlines"},
        {"csr": b"x" * 5000},
    ],
)
def test_what_is_no_request_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(RequestError):
        request.read(request.sign(GATEWAY, msgspec.structs.replace(ENROL, **change)))


def test_an_answer_is_believed_by_the_hash_or_by_the_roots() -> None:
    assert request.read_answer(HASH, answered()) == ANSWER
    assert request.read_answer([ROOT.der], answered()) == ANSWER


def test_every_flipped_byte_of_an_answer_is_refused() -> None:
    for wrong in flipped(answered()):
        with pytest.raises(RequestError):
            request.read_answer(HASH, wrong)


def test_another_root_is_not_believed() -> None:
    with pytest.raises(RequestError, match="does not end"):
        request.read_answer(bytes(32), answered())
    with pytest.raises(RequestError, match="does not end"):
        request.read_answer([trusted.root(9).der], answered())


def test_a_forger_with_the_right_root_beside_his_own_is_refused() -> None:
    forger = trusted.root(9)
    issuing = forger.signs("issuing", trusted.key(2))
    leaf = issuing.signs(NAME, GATEWAY, ca=False)
    said = Answer(NAME, b"n" * 16, [leaf.der, issuing.der], [ROOT.der, forger.der], b"")
    with pytest.raises(RequestError, match="does not end"):
        request.read_answer(HASH, answered(said, issuing))


def test_an_answer_must_be_signed_by_the_issuing_key_for_this_gateway() -> None:
    with pytest.raises(RequestError, match="issuing key"):
        request.read_answer(HASH, answered(by=LEAF))
    with pytest.raises(RequestError, match="another gateway"):
        request.read_answer(HASH, answered(msgspec.structs.replace(ANSWER, gateway="another")))
    authority = ISSUING.signs(NAME, GATEWAY, ca=True)
    with pytest.raises(RequestError, match="authority"):
        request.read_answer(HASH, answered(msgspec.structs.replace(ANSWER, chain=[authority.der, ISSUING.der])))
    foreign = trusted.root(9).signs(NAME, GATEWAY, ca=False)
    for chain in ([foreign.der, ISSUING.der], [LEAF.der], [], [LEAF.der, LEAF.der, ISSUING.der]):
        with pytest.raises(RequestError):
            request.read_answer(HASH, answered(msgspec.structs.replace(ANSWER, chain=chain)))


def test_an_answer_after_the_root_was_changed_serves_who_holds_the_old_one() -> None:
    following = trusted.root(10)
    crossed = trusted.certified("root 10", following.key, ROOT.cert.subject, ROOT.key, path=1)
    issuing = following.signs("issuing", trusted.key(2))
    leaf = issuing.signs(NAME, GATEWAY, ca=False)
    said = Answer(NAME, b"n" * 16, [leaf.der, issuing.der, crossed.der], [following.der], b"")
    assert request.read_answer([ROOT.der], answered(said, issuing)) == said


def test_the_text_form() -> None:
    data = request.sign(GATEWAY, ENROL)
    text = request.to_text("REQUEST", data)
    assert text.startswith("-----BEGIN WARDLINK REQUEST-----\n")
    assert request.from_text("REQUEST", "from the stick:\r\n" + text.replace("\n", "\r\n")) == data
    for wrong in (
        "",
        text + text,
        text[:100],
        text.replace("REQUEST", "ANSWER"),
        text.replace("-----\n", "-----\n!", 1),
    ):
        with pytest.raises(RequestError):
            request.from_text("REQUEST", wrong)
    with pytest.raises(RequestError):
        request.from_text("REQUEST", text + "x" * 300_000)
