"""What a gateway asks of the centre's enrolment, and the answer, by network or on a stick (docs/formats.md). Pure.

    request := CBOR [kind, site, csr, voucher, nonce, issued, board]
               and a 64-byte Ed25519 signature of the gateway over "wardlink request 1" and the CBOR
    answer  := CBOR [gateway, nonce, chain, roots, directory]
               and a 64-byte Ed25519 signature of the issuing key over "wardlink answer 1" and the CBOR

The text forms are PEM-like blocks, `WARDLINK REQUEST` and `WARDLINK ANSWER`.
"""

from __future__ import annotations

import base64
import hashlib
import re
import textwrap
from collections.abc import Sequence
from typing import Literal, TypeVar

import cbor2
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wire import cbor, chain
from wire.chain import ChainError
from wire.directory import DIRECTORY_LIMIT_BYTES, ROOTS_LIMIT_COUNT
from wire.keys import gateway_id, verifies
from wire.topics import is_name
from wire.voucher import SECRET_BYTES

SIGNATURE_BYTES = 64
NONCE_BYTES = 16
CSR_LIMIT_BYTES = 2048
REQUEST_LIMIT_BYTES = 4096
ANSWER_LIMIT_BYTES = DIRECTORY_LIMIT_BYTES + 32768
BOARD_LIMIT_LETTERS = 64
TEXT_LIMIT_LETTERS = ANSWER_LIMIT_BYTES * 2
_TIME_LIMIT_US = 1 << 62
_REQUEST_LABEL = b"wardlink request 1"
_ANSWER_LABEL = b"wardlink answer 1"
Word = Literal["REQUEST", "ANSWER"]
T = TypeVar("T")


class RequestError(Exception):
    """The bytes are no request or answer that can be believed; says why, never a secret."""


class Request(msgspec.Struct, frozen=True, array_like=True):
    """`csr`: PKCS#10 in DER, its CN the gateway's id. `voucher`: its secret, b"" in a renewal. `nonce`: 16 bytes.

    `issued`: microseconds since 1970 by the gateway's clock, whatever that is worth. `board`: what it is, for people.
    """

    kind: Literal["enrol", "renew"]
    site: str
    csr: bytes
    voucher: bytes
    nonce: bytes
    issued: int
    board: str

    @property
    def key(self) -> Ed25519PublicKey:
        """The gateway's public key, of the CSR. Raises RequestError."""
        return applicant(self.csr)

    @property
    def gateway(self) -> str:
        """Raises RequestError."""
        return gateway_id(self.key)

    def __repr__(self) -> str:
        return f"Request({self.kind}, site={self.site!r})"


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """`nonce`: the request's. `chain`: the gateway's certificate, the issuing one, what leads to the root. DER all."""

    gateway: str
    nonce: bytes
    chain: list[bytes]
    roots: list[bytes]
    directory: bytes


def applicant(csr: bytes) -> Ed25519PublicKey:
    """Who asks: the key that signed the CSR (DER), whose hash is its CN. Raises RequestError."""
    if len(csr) > CSR_LIMIT_BYTES:
        raise RequestError("too long for a signing request")
    try:
        found = x509.load_der_x509_csr(csr)
        key, name, genuine = chain.key_of(found), chain.name_of(found.subject), found.is_signature_valid
    except (*chain.UNREADABLE, ChainError) as error:
        raise RequestError("not a signing request with an Ed25519 key") from error
    if not genuine:
        raise RequestError("the signing request is not signed by its own key")
    if name != gateway_id(key):
        raise RequestError("the name in the signing request is not the hash of its key")
    return key


def sign(signer: Ed25519PrivateKey, request: Request) -> bytes:
    body = cbor2.dumps(msgspec.to_builtins(request, builtin_types=(bytes,)))
    return body + signer.sign(_REQUEST_LABEL + body)


def read(data: bytes) -> Request:
    """Verify that the gateway it names made it, and read. Raises RequestError."""
    if not SIGNATURE_BYTES < len(data) <= REQUEST_LIMIT_BYTES:
        raise RequestError(f"{len(data)} bytes is no size of a request")
    body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    request = _converted(body, Request)
    if not is_name(request.site) or len(request.nonce) != NONCE_BYTES or not 0 <= request.issued < _TIME_LIMIT_US:
        raise RequestError("not a request: a site, nonce or time that is none")
    if len(request.voucher) != (SECRET_BYTES if request.kind == "enrol" else 0):
        raise RequestError("an enrolment carries a voucher, a renewal none")
    if len(request.board) > BOARD_LIMIT_LETTERS or not request.board.isprintable():
        raise RequestError("not a request: the board's name")
    if not verifies(request.key, signature, _REQUEST_LABEL + body):
        raise RequestError("the signature is not the gateway's")
    return request


def sign_answer(issuing: Ed25519PrivateKey, answer: Answer) -> bytes:
    body = cbor2.dumps(msgspec.to_builtins(answer, builtin_types=(bytes,)))
    return body + issuing.sign(_ANSWER_LABEL + body)


def read_answer(trusted: bytes | Sequence[bytes], data: bytes) -> Answer:
    """Verify and read. `trusted`: the SHA-256 of a root (a voucher's), or the roots that are held (DER).

    The directory in it is still to be read with `answer.roots`. Raises RequestError.
    """
    if not SIGNATURE_BYTES < len(data) <= ANSWER_LIMIT_BYTES:
        raise RequestError(f"{len(data)} bytes is no size of an answer")
    body, signature = data[:-SIGNATURE_BYTES], data[-SIGNATURE_BYTES:]
    answer = _converted(body, Answer)
    if not 0 < len(answer.roots) <= ROOTS_LIMIT_COUNT or len(answer.nonce) != NONCE_BYTES:
        raise RequestError("not an answer: roots or a nonce that are none")
    if isinstance(trusted, bytes):
        trusted = [root for root in answer.roots if hashlib.sha256(root).digest() == trusted]
    try:
        issuing = chain.authority(answer.chain[1:], trusted)
        chain.leaf(answer.chain[0], answer.chain[1:], answer.gateway)
    except ChainError as error:
        raise RequestError(str(error)) from error
    if not verifies(issuing, signature, _ANSWER_LABEL + body):
        raise RequestError("the signature is not the issuing key's")
    return answer


def to_text(word: Word, data: bytes) -> str:
    """The block for a file, a stick or a mail."""
    lines = "\n".join(textwrap.wrap(base64.b64encode(data).decode("ascii"), 64))
    return f"-----BEGIN WARDLINK {word}-----\n{lines}\n-----END WARDLINK {word}-----\n"


def from_text(word: Word, text: str) -> bytes:
    """The bytes of the one block in a text. Raises RequestError."""
    if len(text) > TEXT_LIMIT_LETTERS:
        raise RequestError(f"too long for {word.lower()}")
    begin, end = f"-----BEGIN WARDLINK {word}-----", f"-----END WARDLINK {word}-----"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise RequestError(f"there is no block WARDLINK {word}, or more than one")
    inside = text.partition(begin)[2].partition(end)[0]
    try:
        return base64.b64decode(re.sub(r"\s", "", inside).encode("ascii"), validate=True)
    except ValueError as error:
        raise RequestError("the block is not base64") from error


def _converted(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.convert(cbor.loads(body), type=kind, builtin_types=(bytes,))
    except (cbor.CBORError, msgspec.ValidationError) as error:
        raise RequestError(f"not what it should be: {error}") from error
