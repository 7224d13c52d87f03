"""The centre's own keys: what opens and what signs, made once."""

import pytest

from agent.cli.entry import main
from wire import keys


@pytest.mark.parametrize("kind", ["xwing", "x25519"])
def test_what_is_sealed_to_the_public_half_opens_with_the_private(tmp_path, kind, capsys) -> None:
    folder = tmp_path / "keys"
    assert main(["centre", "keys", str(folder), "--kind", kind]) == 0
    assert capsys.readouterr().out.split() == [
        str(folder / name) for name in ("recipient.key", "recipient.pub", "centre.key", "receipts.pub")
    ]
    secret = keys.recipient_secret((folder / "recipient.key").read_text())
    assert (
        secret.open(keys.recipient((folder / "recipient.pub").read_text()).seal(b"hour", b"info"), b"info") == b"hour"
    )
    signer = keys.signer((folder / "centre.key").read_text())
    verifier = keys.verifier((folder / "receipts.pub").read_text())
    assert keys.verifies(verifier, signer.sign(b"held"), b"held")
    assert {file.name: oct(file.stat().st_mode & 0o077) for file in folder.glob("*.key")} == {
        "recipient.key": "0o0",
        "centre.key": "0o0",
    }


def test_no_key_is_overwritten_and_a_reader_gets_none_that_signs(tmp_path, capsys) -> None:
    assert main(["centre", "keys", str(tmp_path), "--recipient-only"]) == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["recipient.key", "recipient.pub"]
    before = (tmp_path / "recipient.key").read_bytes()
    assert main(["centre", "keys", str(tmp_path)]) == 1
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "recipient.key").read_bytes() == before
    assert not (tmp_path / "centre.key").exists()
