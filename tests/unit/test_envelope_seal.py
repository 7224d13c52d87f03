"""Sealing and opening: what is sealed opens once, for whom it was meant, and for nobody else; every byte counts."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from wire import receipt, statement
from wire.envelope import ENVELOPE_LIMIT_BYTES, HEADER_BYTES, TAG_BYTES, EnvelopeError, Header, header_of
from wire.keys import RecipientSecret, gateway_id
from wire.receipt import LIFETIME_LIMIT_S, Held, Receipt, ReceiptError
from wire.seal import NoGrantError, NotForUsError, Opener, Sealer, fresh
from wire.statement import Ended, Grant, Manifest
from wire.topics import Class

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
FOREIGN = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
GATEWAY = gateway_id(SIGNER.public_key())
OURS = RecipientSecret("x25519", bytes(range(2, 34)))
XWING = RecipientSecret("xwing", bytes(range(96)))
STRANGER = RecipientSecret("x25519", bytes(range(3, 35)))
PLAIN = b"ninety-seven percent"
NONCE, START = b"a nonce.", b"a start."
LIFE_US = LIFETIME_LIMIT_S * 1_000_000


def sealer(signer: Ed25519PrivateKey = SIGNER, epoch: int = 1, secrets=(OURS,)) -> Sealer:
    return Sealer(signer, [secret.recipient for secret in secrets], epoch, bytes(8))


def opened(one: Sealer, *secrets: RecipientSecret, gateway: str = GATEWAY) -> Opener:
    opener = Opener(gateway, secrets or (OURS,))
    opener.statement(one.begin_hour()[1])
    return opener


def flipped(data: bytes):
    """The same bytes with one bit changed, once in every byte (and every bit of the header)."""
    for at in range(len(data)):
        for bit in range(8) if at < HEADER_BYTES else (at % 8,):
            yield bytes((*data[:at], data[at] ^ 1 << bit, *data[at + 1 :]))


@pytest.mark.parametrize("secret", [OURS, XWING], ids=["x25519", "xwing"])
def test_what_is_sealed_opens(secret: RecipientSecret) -> None:
    one = sealer(secrets=(STRANGER, secret))
    opener = opened(one, secret)
    header, data = one.seal(Class.VITAL, PLAIN)
    assert opener.open(data) == (header, PLAIN)
    assert header == Header(1, Class.VITAL, 0, 0)
    assert len(data) == HEADER_BYTES + len(PLAIN) + TAG_BYTES
    assert opener.knows(header)


def test_any_changed_bit_of_an_envelope_is_refused() -> None:
    one = sealer()
    opener = opened(one)
    for data in flipped(one.seal(Class.VITAL, PLAIN)[1]):
        with pytest.raises(EnvelopeError):
            opener.open(data)
        with pytest.raises(EnvelopeError):
            opener.statement(data)


@pytest.mark.parametrize("kind", ["grant", "manifest", "ended"])
def test_any_changed_bit_of_a_statement_is_refused(kind: str) -> None:
    one = sealer()
    grant = one.begin_hour()
    one.seal(Class.VITAL, PLAIN)
    whole = {"grant": grant, "manifest": one.manifest(), "ended": one.ended([(0, 1, 7)])}[kind]
    assert whole is not None
    for data in flipped(whole[1]):
        opener = Opener(GATEWAY, (OURS,))
        with pytest.raises(EnvelopeError):
            opener.statement(data)
        assert not opener.knows(Header(1, Class.VITAL, 0, 0))


def test_any_changed_bit_of_a_receipt_is_refused() -> None:
    said = Receipt(5, 6, b"a nonce.", [Held(1, b"a start.", 2, [(0, 9)])])
    data = receipt.sign(FOREIGN, GATEWAY, said)
    assert receipt.read(FOREIGN.public_key(), GATEWAY, data) == said
    for wrong in flipped(data):
        with pytest.raises(ReceiptError):
            receipt.read(FOREIGN.public_key(), GATEWAY, wrong)


def test_a_receipt_is_of_one_centre_and_for_one_gateway() -> None:
    data = receipt.sign(FOREIGN, GATEWAY, receipt.made(5, bytes(8), []))
    with pytest.raises(ReceiptError, match="signature"):
        receipt.read(SIGNER.public_key(), GATEWAY, data)
    with pytest.raises(ReceiptError, match="another gateway"):
        receipt.read(FOREIGN.public_key(), "a" * 20, data)


@pytest.mark.parametrize(
    "said",
    [
        [5],
        [5, 6],
        [5, [[1, 2, [[0, 1]]]]],  # as they once were: no expiry, no nonce, no start
        [5, 6, NONCE, [[1, 2]]],
        [5, 6, NONCE, [[1, 2, [[0, 1]]]]],
        [5, 6, NONCE, [[1, START, 2, [[3, 1]]]]],
        [5, 6, NONCE, [[1, START, 2, [[-1, 1]]]]],
        [5, 6, NONCE, [[1, START, 2, [[0, 1 << 32]]]]],
        [5, 6, NONCE, [[1 << 32, START, 2, []]]],
        [5, 6, NONCE, [[-1, START, 2, []]]],
        [5, 6, NONCE, [[1, START[:7], 2, []]]],
        [5, 6, NONCE, [[1, "a start.", 2, []]]],
        [5, 6, NONCE, [[1, START, 2, [], 0]]],
        [5, 6, NONCE + b"x", []],
        [5, 6, None, []],
        [5, 5, NONCE, []],
        [6, 5, NONCE, []],
        [5, 6 + LIFE_US, NONCE, []],
        [5, 6, NONCE, [], 0],
        ["5", 6, NONCE, []],
        {"utc": 5},
    ],
)
def test_a_receipt_signed_and_of_the_wrong_shape_is_refused(said) -> None:
    import cbor2

    body = cbor2.dumps(said)
    data = body + FOREIGN.sign(b"wardlink receipt 1" + GATEWAY.encode() + body)
    with pytest.raises(ReceiptError) as refused:
        receipt.read(FOREIGN.public_key(), GATEWAY, data)
    assert refused.value.reason == "malformed"


def test_a_receipt_is_of_its_own_type_alone() -> None:
    """The same bytes under another label's signature are no receipt."""
    body = receipt.sign(FOREIGN, GATEWAY, receipt.made(5, NONCE, []))[:-64]
    for label in (b"wardlink command 1", b"wardlink time 1", b"wardlink statement 1", b""):
        with pytest.raises(ReceiptError, match="signature"):
            receipt.read(FOREIGN.public_key(), GATEWAY, body + FOREIGN.sign(label + GATEWAY.encode() + body))


@pytest.mark.parametrize("size", [0, 64, 70_000])
def test_a_receipt_of_no_size_is_refused(size: int) -> None:
    with pytest.raises(ReceiptError, match="no size"):
        receipt.read(FOREIGN.public_key(), GATEWAY, bytes(size))


def test_a_grant_for_others_says_so() -> None:
    with pytest.raises(NotForUsError):
        opened(sealer(secrets=(OURS, XWING)), STRANGER)


def test_a_share_under_our_name_that_is_not_ours_is_refused() -> None:
    """The gateway signs a grant whose share was sealed to somebody else: genuine, and of no use."""
    header = Header(1, Class.KEY, 0, 0)
    share = (OURS.recipient.kid, STRANGER.recipient.seal(bytes(32), b""))
    data = statement.sign(SIGNER, GATEWAY, header, Grant(bytes(8), bytes(32), [share]))
    with pytest.raises(EnvelopeError, match="does not open"):
        Opener(GATEWAY, (OURS,)).statement(data)


@pytest.mark.parametrize("sealed", [b"", b"x" * 31, b"x" * 32, b"x" * 2000])
def test_a_share_that_is_no_hpke_is_refused(sealed: bytes) -> None:
    for secret in (OURS, XWING):
        said = Grant(bytes(8), bytes(32), [(secret.recipient.kid, sealed)])
        data = statement.sign(SIGNER, GATEWAY, Header(1, Class.KEY, 0, 0), said)
        with pytest.raises(EnvelopeError):
            Opener(GATEWAY, (secret,)).statement(data)


def test_a_share_is_bound_to_its_epoch_and_hour() -> None:
    """A gateway's own share, moved to another epoch or hour and signed again, does not open."""
    said = statement.read(GATEWAY, sealer().begin_hour()[1])[1]
    for header in (Header(2, Class.KEY, 0, 0), Header(1, Class.KEY, 0, 1)):
        with pytest.raises(EnvelopeError, match="does not open"):
            Opener(GATEWAY, (OURS,)).statement(statement.sign(SIGNER, GATEWAY, header, said))


def test_a_foreign_gateway_is_refused() -> None:
    with pytest.raises(EnvelopeError, match="another gateway"):
        opened(sealer(FOREIGN))


def test_a_replay_under_another_gateway_id_does_not_open() -> None:
    one, other = sealer(), sealer(FOREIGN)
    data = one.seal(Class.VITAL, PLAIN)[1] if one.begin_hour() else b""
    theirs = opened(other, gateway=gateway_id(FOREIGN.public_key()))
    with pytest.raises(EnvelopeError, match="not what the gateway sealed"):
        theirs.open(data)


def test_without_its_grant_an_envelope_waits() -> None:
    one = sealer()
    one.begin_hour()
    data = one.seal(Class.WAVE, PLAIN)[1]
    with pytest.raises(NoGrantError):
        Opener(GATEWAY, (OURS,)).open(data)


def test_an_earlier_epochs_key_is_forgotten_when_told() -> None:
    one = sealer(epoch=4)
    opener = opened(one)
    data = one.seal(Class.VITAL, PLAIN)[1]
    opener.forget_before(4)
    assert opener.open(data)[1] == PLAIN
    opener.forget_before(5)
    with pytest.raises(NoGrantError):
        opener.open(data)


def test_a_new_hour_has_a_new_key_and_the_old_one_still_opens() -> None:
    one = sealer()
    opener = opened(one)
    first = one.seal(Class.VITAL, PLAIN)
    opener.statement(one.begin_hour()[1])
    second = one.seal(Class.VITAL, PLAIN)
    assert (first[0].hour, second[0].hour) == (0, 1)
    assert (first[0].seq, second[0].seq) == (0, 1)
    assert opener.open(first[1])[1] == opener.open(second[1])[1] == PLAIN


def test_the_bytes_of_a_data_key_are_wiped_once_it_is_granted() -> None:
    given = []

    def secret(count: int) -> bytearray:
        given.append(fresh(count))
        return given[-1]

    one = Sealer(SIGNER, [OURS.recipient], 1, bytes(8), secret)
    opener = Opener(GATEWAY, (OURS,))
    for _ in range(2):
        opener.statement(one.begin_hour()[1])
        assert opener.open(one.seal(Class.VITAL, PLAIN)[1])[1] == PLAIN
    assert given == [bytearray(32)] * 2


def test_data_keys_are_random() -> None:
    assert len({bytes(fresh(32)) for _ in range(100)}) == 100


def test_a_key_that_was_forgotten_seals_nothing() -> None:
    one = sealer()
    one.begin_hour()
    one.forget()
    assert one.wants_hour
    with pytest.raises(AssertionError, match="begin_hour"):
        one.seal(Class.VITAL, PLAIN)


def test_no_nonce_is_used_twice_under_one_key() -> None:
    one = sealer()
    used = set()
    for _ in range(3):
        one.begin_hour()
        for _ in range(50):
            for cls in (Class.VITAL, Class.WAVE):
                header = one.seal(cls, PLAIN)[0]
                used.add((header.hour, header.nonce()))
    assert len(used) == 300
    assert all(len(nonce) == 12 for _, nonce in used)


@given(*[st.tuples(st.sampled_from(Class), st.integers(0, 2**32 - 1))] * 2)
def test_nonces_are_equal_only_for_the_same_class_and_seq(one, other) -> None:
    first, second = (Header(1, cls, seq, 0) for cls, seq in (one, other))
    assert (first.nonce() == second.nonce()) is (one == other)


@given(st.integers(0, 2**32 - 1), st.sampled_from(Class), st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1))
def test_headers_come_back(epoch: int, cls: Class, seq: int, hour: int) -> None:
    header = Header(epoch, cls, seq, hour)
    assert header_of(header.pack() + bytes(TAG_BYTES)) == header


@pytest.mark.parametrize("version", [0, 2, 255])
def test_an_unknown_version_is_named(version: int) -> None:
    with pytest.raises(EnvelopeError, match=f"version {version} "):
        header_of(bytes([version]) + bytes(40))


def test_an_unknown_class_and_impossible_sizes_are_refused() -> None:
    with pytest.raises(EnvelopeError, match="class 3"):
        header_of(b"\x01\x03" + bytes(40))
    for size in (0, HEADER_BYTES, HEADER_BYTES + TAG_BYTES - 1, ENVELOPE_LIMIT_BYTES + 1):
        with pytest.raises(EnvelopeError, match="no size"):
            header_of(b"\x01".ljust(size, b"\0"))


@settings(max_examples=300)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\x01\0\0\0\0\0\0\1\0\0\0\0", b"\x01\1\0\0\0\0\0\1\0\0\0\0"]))
def test_noise_is_an_error_of_ours(noise: bytes, head: bytes) -> None:
    opener = Opener(GATEWAY, (OURS,))
    with pytest.raises(EnvelopeError):
        opener.statement(head + noise)
    with pytest.raises(EnvelopeError):
        opener.open(head + noise)
    with pytest.raises(ReceiptError):
        receipt.read(SIGNER.public_key(), GATEWAY, noise)


def test_a_manifest_lists_what_was_sealed_since_the_last_and_chains() -> None:
    import hashlib

    one = sealer()
    opener = opened(one)
    assert one.manifest() is None
    sealed = [one.seal(Class.VITAL, PLAIN)[1], one.seal(Class.VITAL, b"x")[1]]
    first = one.manifest()
    one.seal(Class.WAVE, PLAIN)
    second = one.manifest()
    assert first is not None
    assert second is not None
    said, next_said = opener.statement(first[1])[1], opener.statement(second[1])[1]
    assert isinstance(said, Manifest)
    assert isinstance(next_said, Manifest)
    leaves = b"".join(hashlib.sha256(data).digest() for data in sealed)
    assert [(s.cls, s.first, s.count, s.digest) for s in said.sealed] == [(1, 0, 2, hashlib.sha256(leaves).digest())]
    assert said.previous == bytes(32)
    assert next_said.previous == hashlib.sha256(first[1]).digest()
    assert [(s.cls, s.first, s.count) for s in next_said.sealed] == [(2, 0, 1)]


def test_what_ended_is_stated() -> None:
    one = sealer()
    said = Opener(GATEWAY, ()).statement(one.ended([(7, 1, 100), (7, 2, 5)])[1])[1]
    assert said == Ended([(7, 1, 100), (7, 2, 5)], [], bytes(8))
