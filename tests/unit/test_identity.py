"""The keys folder and the text forms of keys: what is wrong with a file is said, never what it holds."""

import base64
import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from agent import identity
from agent.lab import keyring
from config.load import ConfigError
from wire import keys

SECRET = keys.RecipientSecret("xwing", bytes(range(96)))


@pytest.fixture
def folder(tmp_path):
    return keyring.make(tmp_path).gateway


def pem(key, protection=None) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection or NoEncryption())


def refused(folder) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        identity.load(folder, receipts=True)
    return caught.value


def test_a_whole_folder_is_an_identity(tmp_path) -> None:
    ring = keyring.make(tmp_path)
    found = identity.load(ring.gateway, receipts=True)
    assert found.gateway == ring.gateway_id
    assert [recipient.kind for recipient in found.recipients] == ["xwing"]
    assert len(found.centres) == 1
    sealed = found.recipients[0].seal(b"secret", b"info")
    secret = keys.recipient_secret((ring.centre / "recipient.key").read_text())
    assert secret.open(sealed, b"info") == b"secret"


def test_without_a_centres_key_there_are_no_receipts(folder) -> None:
    (folder / "centre.pub").unlink()
    assert identity.load(folder, receipts=False).centres == ()


def test_each_file_is_missed_by_name(folder) -> None:
    (folder / "recipients" / "centre.pub").unlink()
    assert "recipients holds no .pub file" in str(refused(folder))
    (folder / "gateway.key").unlink()
    assert "gateway.key: No such file" in str(refused(folder))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "not a private key"),
        (b"\xff\xfe", "not a private key"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "not an Ed25519 key"),
        (pem(Ed25519PrivateKey.generate(), BestAvailableEncryption(b"word")), "not a private key"),
    ],
    ids=["empty", "noise", "another kind", "with a password"],
)
def test_a_bad_signing_key_is_refused(folder, data: bytes, says: str) -> None:
    (folder / "gateway.key").write_bytes(data)
    assert says in str(refused(folder))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "xwing",
        "xwing:",
        "xwing:AAAA",
        "rsa:AAAA",
        SECRET.text(),
        keys.verifier_text(Ed25519PrivateKey.generate().public_key()),
        "xwing:" + "!" * 1622,
        "x25519:" + "A" * 43,
        "xwing:" + base64.urlsafe_b64encode(b"\xff" * 1216).decode().rstrip("="),
        "schlüssel",
    ],
)
def test_a_bad_recipient_is_refused_at_the_start_and_not_repeated(folder, text: str) -> None:
    """Also one that looks well and that nothing can be sealed to: it must not wait for the first grant."""
    (folder / "recipients" / "other.pub").write_text(text, encoding="utf-8")
    error = refused(folder)
    assert "recipients/other.pub" in str(error)
    assert len(text) < 20 or text[10:] not in str(error)


def test_too_many_recipients_are_refused(folder) -> None:
    for number in range(identity.RECIPIENTS_LIMIT):
        secret = keys.RecipientSecret("x25519", os.urandom(32))
        (folder / "recipients" / f"{number}.pub").write_text(secret.recipient.text())
    assert "holds 17 keys" in str(refused(folder))


def test_a_bad_centre_key_is_refused(folder) -> None:
    (folder / "centre.pub").write_text(SECRET.recipient.text())
    assert "a signing key is ed25519, not xwing" in str(refused(folder))


def test_text_forms_come_back() -> None:
    signer = Ed25519PrivateKey.generate()
    assert keys.signer(keys.signer_text(signer)).private_bytes_raw() == signer.private_bytes_raw()
    public = signer.public_key()
    assert keys.verifier(f" {keys.verifier_text(public)}\n").public_bytes_raw() == public.public_bytes_raw()
    for secret in (SECRET, keys.RecipientSecret("x25519", bytes(32))):
        assert keys.recipient_secret(secret.text()) == secret
        assert keys.recipient(secret.recipient.text()) == secret.recipient


def test_a_secret_is_not_taken_for_a_public_key_nor_the_other_way() -> None:
    with pytest.raises(keys.KeyFormatError):
        keys.recipient_secret(SECRET.recipient.text())
    with pytest.raises(keys.KeyFormatError):
        keys.verifier(keys.signer_text(Ed25519PrivateKey.generate()))
    with pytest.raises(keys.KeyFormatError):
        keys.signer(SECRET.text())


def test_an_id_is_a_name_and_differs_by_key() -> None:
    ids = {keys.gateway_id(Ed25519PrivateKey.generate().public_key()) for _ in range(50)}
    assert len(ids) == 50
    assert all(
        len(one) == keys.GATEWAY_ID_LETTERS and set(one) <= set("abcdefghijklmnopqrstuvwxyz234567") for one in ids
    )
