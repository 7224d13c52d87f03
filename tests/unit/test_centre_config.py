"""The centre's configuration: two keys, and errors that say what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre.config import ConfigError, Gateway, load_keys, read
from tests.sealed import CENTRE
from wire.keys import RecipientSecret, signer_text

ROOT = Path(__file__).parents[2]
MINIMAL = 'broker = "mqtts://broker:8883"\nkeys = "keys"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "centre.toml"
    path.write_text(text)
    return path


def test_the_annotated_file_says_the_defaults(tmp_path: Path) -> None:
    annotated, minimal = read(ROOT / "config" / "centre.toml"), read(written(tmp_path, MINIMAL))
    for name in ("name", "store", "listen", "sites", "accept", "gateways", "fleet"):
        assert getattr(annotated, name) == getattr(minimal, name)
    assert (minimal.tls, minimal.broker_address, minimal.listen_address) == (
        True,
        ("broker", 8883),
        ("127.0.0.1", 8480),
    )


def test_gateways_are_tables(tmp_path: Path) -> None:
    config = read(written(tmp_path, MINIMAL + '[[gateways]]\nid = "abc"\nsite = "north"\nbed = "12"\n'))
    assert config.gateways == (Gateway("abc", "north", "12"),)


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        (MINIMAL + 'stroe = "sqlite:///x"\n', ":3: unknown key 'stroe'", "'store'"),
        (MINIMAL + '[[gateways]]\nid = "a"\nsite = "b"\nbeds = "c"\n', ":6: unknown key 'beds'", "'bed'"),
        ('broker = "mqtts://b"\n', "'keys'", ""),
        (MINIMAL + 'accept = "all"\n', ":3", ""),
        ('broker = "http://b"\nkeys = "k"\n', "`broker`", "mqtts://host:8883"),
        (MINIMAL + 'store = "mysql://x"\n', "`store`", "sqlite"),
        (MINIMAL + 'listen = "8480"\n', "`listen`", "127.0.0.1:8480"),
        (MINIMAL + 'sites = ["Nord"]\n', "'Nord' is no name", "a-z"),
        (MINIMAL + '[[gateways]]\nid = "a"\nsite = "b"\n' * 2, "listed twice", "delete"),
        ("broker = \n", "centre.toml", ""),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str, said: str, hint: str) -> None:
    with pytest.raises(ConfigError) as failed:
        read(written(tmp_path, text))
    assert said in str(failed.value)
    assert hint in failed.value.hint


def test_keys_are_read_and_never_told(tmp_path: Path) -> None:
    config = read(written(tmp_path, f'broker = "mqtt://b"\nkeys = "{tmp_path}"\n'))
    with pytest.raises(ConfigError, match=r"recipient\.key: No such file"):
        load_keys(config)
    (tmp_path / "recipient.key").write_text(CENTRE.text())
    (tmp_path / "centre.key").write_text("ed25519-secret:QUJD")
    with pytest.raises(ConfigError, match=r"centre\.key: ") as failed:
        load_keys(config)
    assert "QUJD" not in str(failed.value) + failed.value.hint
    signer = Ed25519PrivateKey.from_private_bytes(bytes(32))
    (tmp_path / "centre.key").write_text(signer_text(signer) + "\n")
    assert load_keys(config).recipients == (CENTRE,)


def test_former_keys_stay_beside_the_present_one(tmp_path: Path) -> None:
    config = read(written(tmp_path, f'broker = "mqtt://b"\nkeys = "{tmp_path}"\n'))
    former = [RecipientSecret("x25519", bytes([number]) * 32) for number in (1, 2)]
    (tmp_path / "recipient.key").write_text(CENTRE.text())
    (tmp_path / "centre.key").write_text(signer_text(Ed25519PrivateKey.from_private_bytes(bytes(32))))
    for number, secret in enumerate(former):
        (tmp_path / f"recipient-{number}.key").write_text(secret.text())
    assert load_keys(config).recipients == (CENTRE, *former)
    (tmp_path / "recipient-0.key").write_text("junk")
    with pytest.raises(ConfigError, match=r"recipient-0\.key"):
        load_keys(config)
    for number in range(20):
        (tmp_path / f"recipient-{number}.key").write_text(CENTRE.text())
    with pytest.raises(ConfigError, match="holds 20 recipient"):
        load_keys(config)
