"""The gateway's key, sealed: with this system's secret, and to a real TPM 2.0 in software; a copied card opens nothing.

Needs systemd-creds as root; the TPM also swtpm and the libraries that systemd loads for it.
"""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent import identity
from agent.cli.entry import main
from agent.enrol import protection
from agent.enrol.protection import Protection, ProtectionError
from agent.enrolling import Keys
from agent.uplink.tls import context
from config.load import ConfigError
from tests.enrol_rig import SITE, FakeCentre, config
from tests.system.bell import until
from wire import keys

KEY = b"-----BEGIN PRIVATE KEY-----\n"


@pytest.fixture(autouse=True)
def _system(tmp_path, monkeypatch) -> None:
    """A system of its own: systemd-creds makes its secret where it is told to."""
    monkeypatch.setenv("SYSTEMD_CREDENTIAL_SECRET", str(tmp_path / "credential.secret"))
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    try:
        protection.seal(KEY, "board")
    except ProtectionError as error:
        pytest.skip(f"systemd-creds cannot seal here: {error}")


class Tpm:
    """A board's TPM. It stands at its socket for one talk after another, as the kernel's resource manager would."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.device = f"swtpm:path={folder}/tpm"

    @contextmanager
    def on(self) -> Iterator[str]:
        place = f"type=unixio,path={self.folder}/tpm"
        command = ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={self.folder}", "--flags", "not-need-init"]
        with subprocess.Popen([*command, "--server", place, "--ctrl", f"{place}.ctrl"]) as board:
            try:
                until(lambda: (self.folder / "tpm.ctrl").exists() and (self.folder / "tpm").exists())
                yield self.device
            finally:
                board.terminate()


@pytest.fixture
def boards(tmp_path) -> tuple[Tpm, Tpm]:
    if shutil.which("swtpm") is None:
        pytest.skip("swtpm is not installed: apt-get install swtpm libtss2-tcti-swtpm0")
    pair = Tpm(tmp_path / "board"), Tpm(tmp_path / "other")
    with pair[0].on() as device:
        try:
            protection.seal(KEY, "tpm", device)
        except ProtectionError as error:
            pytest.skip(f"this system's systemd does not reach swtpm: {error}")
    return pair


def test_a_key_that_is_sealed_with_the_system_does_not_open_in_another(tmp_path, monkeypatch) -> None:
    sealed, why = protection.seal(KEY, "board")
    assert (protection.kind(sealed), why) == (Protection.BOARD, "there is no TPM")
    assert KEY not in sealed
    assert protection.unseal(sealed) == KEY
    monkeypatch.setenv("SYSTEMD_CREDENTIAL_SECRET", str(tmp_path / "other.secret"))
    protection.seal(KEY, "board")  # makes that secret
    with pytest.raises(ProtectionError, match="cannot decrypt the key"):
        protection.unseal(sealed)


def test_a_key_that_is_sealed_to_a_tpm_opens_on_this_board_only(boards) -> None:
    board, other = boards
    with board.on() as device:
        sealed, why = protection.seal(KEY, "auto", device)
    assert (protection.kind(sealed), why) == (Protection.TPM, "")
    with board.on() as device:  # after a restart of the board
        assert protection.unseal(sealed, device) == KEY
    with other.on() as device, pytest.raises(ProtectionError, match="cannot decrypt the key"):
        protection.unseal(sealed, device)
    with pytest.raises(ProtectionError, match="cannot decrypt the key"):
        protection.unseal(sealed)  # a board without any


def test_a_cloned_card_in_another_board_is_refused_in_words(boards, tmp_path, monkeypatch, capsys) -> None:
    board, other = boards
    folder = tmp_path / "card" / "keys"
    with board.on() as device:
        made = Keys(folder, SITE, device)
        assert made.make() == ""
    assert made.protection is Protection.TPM
    assert not (folder / "gateway.key").exists()
    with board.on() as device:
        monkeypatch.setenv(protection.TPM_VARIABLE, device)
        assert keys.gateway_id(identity.signer(folder).public_key()) == made.gateway
    shutil.copytree(tmp_path / "card", tmp_path / "clone")
    with other.on() as device:
        monkeypatch.setenv(protection.TPM_VARIABLE, device)
        with pytest.raises(ConfigError, match=r"gateway\.key\.cred: systemd-creds cannot decrypt"):
            identity.signer(tmp_path / "clone" / "keys")
        assert main(["wipe", made.gateway, "--config", str(config(tmp_path, tmp_path / "clone" / "keys"))]) == 78
    assert "sealed to another board" in capsys.readouterr().err


def test_a_tpm_that_fails_is_said_and_the_next_best_is_taken(tmp_path) -> None:
    made = Keys(tmp_path / "keys", SITE, "swtpm:path=/nonexistent/tpm")
    why = made.make()
    assert "systemd-creds cannot encrypt the key" in why
    assert made.protection is Protection.BOARD
    strict = Keys(tmp_path / "strict", SITE, "swtpm:path=/nonexistent/tpm")
    with pytest.raises(ProtectionError):
        strict.make("tpm")
    assert strict.protection is Protection.NONE


def test_the_units_credential_goes_before_what_lies_in_the_folder(tmp_path, monkeypatch) -> None:
    made, other = Keys(tmp_path / "keys", SITE), Keys(tmp_path / "credentials", SITE)
    made.make("file")
    other.make("file")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(other.folder))
    assert keys.gateway_id(identity.signer(made.folder).public_key()) == other.gateway
    (other.folder / "gateway.key").unlink()
    assert keys.gateway_id(identity.signer(made.folder).public_key()) == made.gateway


def test_a_key_that_may_not_be_seen_is_not_taken_for_none(tmp_path, monkeypatch) -> None:
    """Or another would be made in its place."""
    made = Keys(tmp_path / "keys", SITE)
    made.make("board")
    sealed = made.folder / "gateway.key.cred"
    sealed.rename(tmp_path / "elsewhere")
    sealed.mkdir()  # as root may read everything: what cannot be read
    with pytest.raises(OSError, match="directory"):
        made.make("file")
    other = Keys(tmp_path / "credentials", SITE)
    other.make("file")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(other.folder))
    assert made.protection is Protection.GIVEN


def test_a_plain_key_is_sealed_later_and_the_file_destroyed(tmp_path, capsys) -> None:
    made = Keys(tmp_path / "keys", SITE)
    made.make("file")
    plain = (made.folder / "gateway.key").read_bytes()
    file = config(tmp_path, made.folder)
    assert main(["enrol", "seal", "--protect", "board", "--config", str(file)]) == 0
    assert "board: sealed with this system's own secret" in capsys.readouterr().out
    assert not (made.folder / "gateway.key").exists()
    assert all(plain not in found.read_bytes() for found in made.folder.iterdir() if found.is_file())
    assert keys.gateway_id(identity.signer(made.folder).public_key()) == made.gateway
    assert main(["enrol", "seal", "--config", str(file)]) == 1


def test_tls_takes_the_sealed_key_from_memory(tmp_path) -> None:
    centre, made = FakeCentre(), Keys(tmp_path / "keys", SITE)
    made.make("board")
    data, asked = made.ask(centre.voucher(), bytes(16), 0)
    made.take_answer(asked, centre.answer(data))
    file = identity.key_file(made.folder)
    assert str(file).startswith("/proc/self/fd/")
    context(made.folder / "ca.crt", made.folder / "gateway.crt", file)
