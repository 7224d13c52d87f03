"""The people that a centre lets in, where no identity provider does: a file of names, roles and argon2id hashes.

    [[user]]
    name = "li.wei"
    role = "doctor"                    # doctor, nurse or engineer: centre/access/rights.py says who sees what
    sites = ["lokossa"]                # none: all
    password = "$argon2id$v=19$..."    # `wardlink centre user add` writes it
    token = "sha256:..."               # instead, for programs: the hash of a random token that was shown once

The file is read again when it changes, so who is taken out of it is out.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
from pathlib import Path
from typing import Literal

import msgspec
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from config import load
from config.load import ConfigError

Role = Literal["doctor", "nurse", "engineer"]
PEOPLE_LIMIT_COUNT = 10_000
PASSWORD_LIMIT_LETTERS = 1024
PASSWORD_LEAST_LETTERS = 12
TOKEN_BYTES = 32
_TOKEN_LABEL = "sha256:"  # noqa: S105  names the kind of hash
_HASHER = PasswordHasher()  # RFC 9106, low memory: 64 MiB, three passes
_NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$3kTd6NWVtRFAbT9JULM9FQ$mc2dSEyP5/+L+FMOCDk0o6g9Zrj6Bg1XV4FYzn77cg4"


class Person(msgspec.Struct, frozen=True):
    """Who is looking. `sites`: whose beds; none: all. `known_by` says who vouches: the file, or an issuer's URL."""

    name: str
    role: Role
    sites: tuple[str, ...] = ()
    known_by: str = "file"


class User(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One entry of the file."""

    name: str
    role: Role
    sites: tuple[str, ...] = ()
    password: str = ""
    token: str = ""

    @property
    def person(self) -> Person:
        return Person(self.name, self.role, self.sites)


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    user: tuple[User, ...] = ()


def read(path: Path) -> tuple[User, ...]:
    """All entries; none where there is no file. Raises ConfigError, which never holds a hash."""
    if not path.exists():
        return ()
    found = load.read(path, _File).user
    names = [user.name for user in found]
    if len(found) > PEOPLE_LIMIT_COUNT:
        raise ConfigError(f"{path} names {len(found)} people", f"at most {PEOPLE_LIMIT_COUNT}")
    for name in names:
        if not is_login(name):
            raise ConfigError(f"{path}: {name[:64]!r} is no name", "1 to 64 letters, digits and . - _ @")
        if names.count(name) > 1:
            raise ConfigError(f"{path} names {name} twice", "delete one of the two")
    return found


def is_login(name: str) -> bool:
    return 0 < len(name) <= 64 and all(letter.isalnum() or letter in ".-_@" for letter in name)


def hashed(password: str) -> str:
    """Raises ConfigError for one that is soon guessed."""
    if not PASSWORD_LEAST_LETTERS <= len(password) <= PASSWORD_LIMIT_LETTERS:
        raise ConfigError("the password is too short", f"{PASSWORD_LEAST_LETTERS} letters or more, a sentence say")
    return _HASHER.hash(password)


def token_hash(token: str) -> str:
    return _TOKEN_LABEL + hashlib.sha256(token.encode()).hexdigest()


def write(path: Path, users: tuple[User, ...]) -> None:
    """The whole file, at once, for its owner alone."""
    text = "# People of the centre: `wardlink centre user add|remove|list`.\n" + "".join(map(_entry, users))
    draft = path.with_name(f"{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _entry(user: User) -> str:
    sites = ", ".join(f'"{site}"' for site in user.sites)
    secret = f'password = "{user.password}"' if user.password else f'token = "{user.token}"'
    return f'\n[[user]]\nname = "{user.name}"\nrole = "{user.role}"\nsites = [{sites}]\n{secret}\n'


class People:
    """The file as it stands now. May be asked from any thread; one password is tried at a time: each costs 64 MiB."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock, self._one_at_a_time = threading.Lock(), threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._by_name: dict[str, User] = {}
        self._by_token: dict[str, User] = {}
        self._look()

    def find(self, name: str) -> Person | None:
        """Who is in the file now, by name."""
        self._look()
        user = self._by_name.get(name)
        return user.person if user else None

    def any(self) -> bool:
        self._look()
        return bool(self._by_name)

    def by_password(self, name: str, password: str) -> Person | None:
        """Takes as long for names that are not there."""
        self._look()
        user = self._by_name.get(name)
        kept = user.password if user and user.password else _NOBODYS
        with self._one_at_a_time:
            try:
                _HASHER.verify(kept, password[:PASSWORD_LIMIT_LETTERS])
            except (VerificationError, InvalidHashError):
                return None
        return user.person if user and user.password else None

    def by_token(self, token: str) -> Person | None:
        self._look()
        digest = token_hash(token)
        user = self._by_token.get(digest)
        return user.person if user and hmac.compare_digest(user.token, digest) else None

    def _look(self) -> None:
        with self._lock:
            try:
                seen = self._path.stat()
                stamp = seen.st_mtime_ns, seen.st_ino
            except FileNotFoundError:
                stamp = None
            if stamp == self._stamp:
                return
            users = read(self._path)
            self._by_name = {user.name: user for user in users}
            self._by_token = {user.token: user for user in users if user.token}
            self._stamp = stamp
