"""Who may replace the system: an offline root, a signer for a year, and the list of signers that were taken back.

Made here they are for development: a folder under build/, never in the repository. Of a release the root is kept
offline and only signer.pem, signer.key and crl.pem come here (docs/keys.md). RAUC 1.13, "Security".
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from recipe.debian import BuildError

ROOT_DAYS, SIGNER_DAYS, CRL_DAYS = 20 * 365, 366, 20 * 365
KEYRING = "etc/rauc/keyring.pem"
CONFIG = """[ca]
default_ca = own
[own]
dir = {folder}
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/serial
crlnumber = {folder}/crlnumber
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[root]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = codeSigning
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[req]
distinguished_name = name
[name]
"""


def keys(folder: Path) -> Path:
    """The folder of the update keys, made if it is not there. Raises BuildError."""
    if not (folder / "crl.pem").exists():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        (folder / "openssl.conf").write_text(CONFIG.format(folder=folder.resolve()), encoding="utf-8")
        for name, text in (("index.txt", ""), ("serial", "01\n"), ("crlnumber", "01\n")):
            (folder / name).write_text(text, encoding="ascii")
        _root(folder)
        signer(folder)
        revoke_list(folder)
    return folder


def signer(folder: Path, name: str = "signer") -> None:
    """A new signer, for a year; the one before goes on until it ends or is taken back."""
    key, asked, signed = (folder / f"{name}.{kind}" for kind in ("key", "csr", "pem"))
    _key(key)
    _openssl(folder, "req", "-new", "-key", key, "-subj", f"/CN=wardlink updates {name}", "-out", asked)
    words = ("-batch", "-notext", "-cert", folder / "root.pem", "-keyfile", folder / "root.key", "-in", asked)
    _openssl(folder, "ca", *words, "-extensions", "signer", "-days", SIGNER_DAYS, "-out", signed)


def take_back(folder: Path, name: str) -> None:
    """A signer whose key is lost: images that hold the new list believe it no more."""
    words = ("-cert", folder / "root.pem", "-keyfile", folder / "root.key")
    _openssl(folder, "ca", "-revoke", folder / f"{name}.pem", *words)
    revoke_list(folder)


def revoke_list(folder: Path) -> None:
    words = ("-cert", folder / "root.pem", "-keyfile", folder / "root.key", "-crldays", CRL_DAYS)
    _openssl(folder, "ca", "-gencrl", *words, "-out", folder / "crl.pem")


def overlay(folder: Path) -> Path:
    """A folder to lay over the root: what the image believes, root and list in one file."""
    made = folder / "overlay"
    shutil.rmtree(made, ignore_errors=True)
    keyring = made / KEYRING
    keyring.parent.mkdir(parents=True)
    keyring.write_bytes((folder / "root.pem").read_bytes() + (folder / "crl.pem").read_bytes())
    return made


def _root(folder: Path) -> None:
    _key(folder / "root.key")
    words = ("-x509", "-new", "-key", folder / "root.key", "-subj", "/CN=wardlink updates root", "-days", ROOT_DAYS)
    _openssl(folder, "req", *words, "-extensions", "root", "-out", folder / "root.pem")


def _key(path: Path) -> None:
    words = ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(path))
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"openssl genpkey: {done.stderr.strip()}")
    path.chmod(0o600)


def _openssl(folder: Path, verb: str, *words: object) -> None:
    line = ["openssl", verb, "-config", str(folder / "openssl.conf"), *map(str, words)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"openssl {verb}: {done.stderr.strip()[-500:]}")
