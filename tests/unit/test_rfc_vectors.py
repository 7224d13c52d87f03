"""The primitives we build on, against the vectors of their RFCs: a library that changes its mind is seen here."""

import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from wire.keys import RecipientSecret, verifies

XWING = json.loads((Path(__file__).parents[1] / "vectors" / "xwing.json").read_text(encoding="utf-8"))
ED25519 = [  # RFC 8032 section 7.1: secret, public, what is signed, signature
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


@pytest.mark.parametrize(("secret", "public", "said", "signature"), ED25519, ids=["test-1", "test-2", "test-3"])
def test_ed25519_of_rfc_8032(secret: str, public: str, said: str, signature: str) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
    assert key.public_key().public_bytes_raw().hex() == public
    assert key.sign(bytes.fromhex(said)).hex() == signature
    assert verifies(key.public_key(), bytes.fromhex(signature), bytes.fromhex(said))
    assert not verifies(key.public_key(), bytes.fromhex(signature), bytes.fromhex(said) + b"\0")


def test_chacha20_poly1305_of_rfc_8439_2_8_2() -> None:
    plain = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    sealed = (
        "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b"
        "1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
        "3ff4def08e4b7a9de576d26586cec64b6116"
        "1ae10b594f09e26a7e902ecbd0600691"
    )
    aead = ChaCha20Poly1305(bytes(range(0x80, 0xA0)))
    nonce, aad = bytes.fromhex("070000004041424344454647"), bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    assert aead.encrypt(nonce, plain, aad).hex() == sealed
    assert aead.decrypt(nonce, bytes.fromhex(sealed), aad) == plain


def test_hpke_of_rfc_9180_a_2() -> None:
    """Base mode, sequence 0. The library takes no associated data, so the RFC's own key and nonce seal once without."""
    ours = RecipientSecret("x25519", bytes.fromhex("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb"))
    assert ours.recipient.public.hex() == "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a"
    enc = bytes.fromhex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a")
    info = b"Ode on a Grecian Urn"
    plain = b"Beauty is truth, truth beauty"
    key = bytes.fromhex("ad2744de8e17f4ebba575b3f5f5a8fa1f69c2a07f6e7500bc60ca6e3e3ec1c91")
    nonce = bytes.fromhex("5c4d98150661b848853b547f")
    with_aad = "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"
    assert ChaCha20Poly1305(key).encrypt(nonce, plain, b"Count-0").hex() == with_aad
    assert ours.open(enc + ChaCha20Poly1305(key).encrypt(nonce, plain, b""), info) == plain


def test_hkdf_of_rfc_5869_a_1() -> None:
    """HPKE rests on it."""
    made = HKDF(hashes.SHA256(), 42, salt=bytes(range(13)), info=bytes(range(0xF0, 0xFA))).derive(b"\x0b" * 22)
    assert made.hex() == ("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")


def xwing(sk: str) -> RecipientSecret:
    """The draft keeps 32 bytes, which SHAKE256 widens to the 96 that we keep."""
    return RecipientSecret("xwing", hashlib.shake_256(bytes.fromhex(sk)).digest(96))


def test_the_public_key_of_the_x_wing_draft() -> None:
    """draft-connolly-cfrg-xwing-kem-08, appendix C, the first vector: how its public key begins."""
    ours = xwing("7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26")
    begins = "e2236b35a8c24b39b10aa1323a96a919a2ced88400633a7b07131713fc14b2b5b19cfc3d"
    assert ours.recipient.public.hex().startswith(begins)
    assert len(ours.recipient.public) == 1216


def test_the_shared_secret_of_x_wing_is_as_docs_formats_says() -> None:
    ours, enc = xwing(XWING["skRm"]), bytes.fromhex(XWING["enc"])
    assert ours.recipient.public.hex() == XWING["pkRm"]
    lattice = MLKEM768PrivateKey.from_seed_bytes(ours.seed[:64]).decapsulate(enc[:1088])
    curve = X25519PrivateKey.from_private_bytes(ours.seed[64:]).exchange(X25519PublicKey.from_public_bytes(enc[1088:]))
    parts = lattice + curve + enc[1088:] + ours.recipient.public[1184:] + bytes.fromhex("5c2e2f2f5e5c")
    assert hashlib.sha3_256(parts).hexdigest() == XWING["shared_secret"]


def test_hpke_with_x_wing() -> None:
    """As with RFC 9180: the vector's own key and nonce seal once without associated data."""
    key, nonce, plain = (bytes.fromhex(XWING[name]) for name in ("key", "base_nonce", "pt"))
    assert ChaCha20Poly1305(key).encrypt(nonce, plain, bytes.fromhex(XWING["aad"])).hex() == XWING["ct"]
    sealed = bytes.fromhex(XWING["enc"]) + ChaCha20Poly1305(key).encrypt(nonce, plain, b"")
    assert xwing(XWING["skRm"]).open(sealed, bytes.fromhex(XWING["info"])) == plain
