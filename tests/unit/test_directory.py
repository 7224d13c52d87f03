"""The directory is believed by its chain to a root that is held, and by nothing else."""

import contextlib

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from tests import trusted
from tests.trusted import Authority
from wire import cbor, chain, directory, keys
from wire.chain import ChainError
from wire.directory import Directory, DirectoryError, Listed

ROOT = trusted.root(1)
ISSUING = ROOT.signs("issuing", trusted.key(2))
RECIPIENT = keys.RecipientSecret("x25519", X25519PrivateKey.from_private_bytes(bytes(32)).private_bytes_raw()).recipient
CENTRE = keys.verifier_text(trusted.key(3).public_key())
ONE = Directory(
    version=7,
    site="north",
    issued=1_790_000_000_000_000,
    recipients=[Listed("ward", "hospital", RECIPIENT.text()), Listed("centre", "centre", RECIPIENT.text())],
    centres=[CENTRE],
    roots=[ROOT.der],
    revoked=["a" * 20],
    enrol="https://enrol.example.org:8485",
    time="enrol.example.org:8486",
)


def signed(by: Authority = ISSUING, *above: Authority, said: Directory = ONE) -> bytes:
    return directory.sign(by.key, [by.der, *(one.der for one in above)], said)


def test_it_comes_back() -> None:
    assert directory.read([ROOT.der], "north", signed()) == ONE
    assert directory.read([trusted.root(9).der, ROOT.der], "north", signed()) == ONE


def test_every_flipped_byte_is_refused() -> None:
    data = signed()
    for at in range(len(data)):
        with pytest.raises(DirectoryError):
            directory.read([ROOT.der], "north", data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])


def test_every_cut_is_refused() -> None:
    data = signed()
    for length in range(0, len(data), 7):
        with pytest.raises(DirectoryError):
            directory.read([ROOT.der], "north", data[:length])
    with pytest.raises(DirectoryError):
        directory.read([ROOT.der], "north", data + b"\0")


def test_another_root_another_site_and_no_root() -> None:
    namesake = trusted.certified("root 1", trusted.key(8), trusted.name("root 1"), trusted.key(8))
    for roots in ([trusted.root(9).der], [namesake.der], []):
        with pytest.raises(DirectoryError, match="does not end at a root"):
            directory.read(roots, "north", signed())
    with pytest.raises(DirectoryError, match="for the site north"):
        directory.read([ROOT.der], "south", signed())


def test_a_chain_of_another_is_refused() -> None:
    foreign = trusted.root(9).signs("issuing", trusted.key(2))
    with pytest.raises(DirectoryError, match="does not end at a root"):
        directory.read([ROOT.der], "north", signed(foreign))
    with pytest.raises(DirectoryError, match="issuing key"):
        directory.read([ROOT.der], "north", directory.sign(trusted.key(9), [ISSUING.der], ONE))
    with pytest.raises(DirectoryError, match="not signed by the next"):
        directory.read([ROOT.der], "north", signed(foreign, ISSUING))


def test_who_may_not_sign_signs_nothing() -> None:
    gateway = ISSUING.signs("gateway", trusted.key(4), ca=False)
    with pytest.raises(DirectoryError, match="no authority"):
        directory.read([ROOT.der], "north", signed(gateway, ISSUING))
    silent = ROOT.signs("issuing", trusted.key(4), usage=False)
    with pytest.raises(DirectoryError, match="what its key is for"):
        directory.read([ROOT.der], "north", signed(silent))
    listing = trusted.certified("issuing", trusted.key(4), ROOT.cert.subject, ROOT.key, path=0, signs=False)
    with pytest.raises(DirectoryError, match="may not sign"):
        directory.read([ROOT.der], "north", signed(listing))


def test_the_path_is_no_longer_than_allowed() -> None:
    below = ISSUING.signs("below", trusted.key(5))
    with pytest.raises(DirectoryError, match="longer"):
        directory.read([ROOT.der], "north", signed(below, ISSUING))
    short = trusted.root(6, path=0)
    with pytest.raises(DirectoryError, match="longer"):
        directory.read([short.der], "north", signed(short.signs("issuing", trusted.key(2))))


def test_a_root_signs_the_next() -> None:
    following = trusted.root(10)
    crossed = trusted.certified("root 10", following.key, ROOT.cert.subject, ROOT.key, path=1)
    issuing = following.signs("issuing", trusted.key(2))
    data = signed(issuing, crossed)
    for roots in ([ROOT.der], [following.der]):
        assert directory.read(roots, "north", data) == ONE


def test_a_chain_has_an_end() -> None:
    with pytest.raises(ChainError):
        chain.authority([], [ROOT.der])
    with pytest.raises(ChainError):
        chain.authority([ISSUING.der] * 5, [ROOT.der])
    with pytest.raises(ChainError):
        chain.authority([b"\0" * 5000], [ROOT.der])


@pytest.mark.parametrize(
    "change",
    [
        {"recipients": []},
        {"recipients": [ONE.recipients[0]] * 2},
        {"recipients": [Listed("../etc", "centre", RECIPIENT.text())]},
        {"recipients": [Listed("centre", "centre", CENTRE)]},
        {"recipients": [Listed(f"r{n}", "centre", RECIPIENT.text()) for n in range(17)]},
        {"centres": []},
        {"centres": [CENTRE] * 5},
        {"centres": [RECIPIENT.text()]},
        {"roots": []},
        {"roots": [b"root"]},
        {"roots": [ROOT.der] * 5},
        {"revoked": ["A"]},
        {"revoked": ["a" * 20] * 1001},
        {"version": 0},
        {"issued": -1},
        {"enrol": "http://plain.example.org"},
        {"time": "no port"},
    ],
)
def test_what_is_no_directory_is_neither_signed_nor_read(
    change: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = msgspec.structs.replace(ONE, **change)
    with pytest.raises(DirectoryError):
        signed(said=wrong)
    with monkeypatch.context() as unchecked:
        unchecked.setattr(directory, "_check", lambda _: None)
        data = signed(said=wrong)
    with pytest.raises(DirectoryError):
        directory.read([ROOT.der], "north", data)


def test_the_largest_fits() -> None:
    secret = keys.RecipientSecret("xwing", bytes(range(96)))
    full = msgspec.structs.replace(
        ONE,
        recipients=[Listed(f"r{n}", "centre", secret.recipient.text()) for n in range(16)],
        centres=[CENTRE] * 4,
        roots=[ROOT.der] * 4,
        revoked=["a" * 20] * 1000,
    )
    data = signed(said=full)
    assert len(data) < directory.DIRECTORY_LIMIT_BYTES
    assert directory.read([ROOT.der], "north", data) == full


def test_another_count_of_fields_is_another_version() -> None:
    import cbor2

    fields = cbor.loads(signed()[:-64])
    for said in (fields[:-1], [*fields, 1], 5, {}):
        body = cbor2.dumps(said)
        with pytest.raises(DirectoryError):
            directory.read([ROOT.der], "north", body + bytes(64))


@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_whatever_is_wrong_in_a_certificate_is_said_in_our_words() -> None:
    whole = ISSUING.der
    for at in range(len(whole)):
        for bit in range(8):
            wrong = whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :]
            with contextlib.suppress(ChainError):
                chain.authority([wrong], [ROOT.der])
                assert (
                    at == len(whole) - 65
                )  # how many bits the signature lacks, which stands outside of what is signed
            with contextlib.suppress(ChainError):
                chain.authority([whole], [wrong])
