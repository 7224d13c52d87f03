"""A person's commands to gateways: put into the store, where the running centre finds them (`wardlink centre command`).

The store is the only thing touched, so it does no harm while the centre runs; it sends once the gateway is there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from centre import clock, config, rows
from centre.store import engine, orders
from wire.command import (
    DIRECTORY_LIMIT_BYTES,
    INTERVAL_LEAST_MS,
    INTERVAL_LIMIT_MS,
    RANGES_LIMIT_COUNT,
    CollectBundle,
    Resend,
    Rotate,
    Said,
    SetPolicy,
    Update,
    Wanted,
    is_url,
    is_version,
)
from wire.topics import Class

LIST_LIMIT_ROWS = 50
USAGE = {
    "resend": "resend CLASS EPOCH FIRST-LAST[,FIRST-LAST ...]      CLASS: key, vital or wave",
    "set-policy": "set-policy default | [interval_s=0.25..10] [waves=send|ask]",
    "rotate": "rotate FILE      a directory, as `wardlink fleet` writes it",
    "collect-bundle": "collect-bundle",
    "update": "update VERSION URL SHA256 [FLOOR]",
}
T = TypeVar("T")


class DeskError(Exception):
    """It cannot be asked so; `hint` says how."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def order(file: Path, gateway: str, words: Sequence[str]) -> str:
    """Put a command into the store; its nonce. Raises DeskError, ConfigError, StoreError."""
    said = read(words)
    nonce = clock.nonce()

    def work(connection: Connection) -> None:
        if not orders.known(connection, gateway):
            raise DeskError(f"no gateway {gateway} is known here", "its id stands in `wardlink check` there")
        orders.add(connection, gateway, nonce, said, clock.utc_us())

    within(file, work)
    return nonce.hex()


def listed(file: Path, gateway: str) -> list[rows.Order]:
    """What was commanded, the newest first. Raises ConfigError, StoreError."""
    return within(file, lambda connection: orders.listed(connection, gateway, LIST_LIMIT_ROWS))


def bundle(file: Path, gateway: str, nonce: str) -> bytes:
    """A diagnostic bundle that came, sealed as it is. Raises DeskError, ConfigError, StoreError."""
    try:
        wanted = bytes.fromhex(nonce)
    except ValueError as error:
        raise DeskError(f"{nonce!r} is no command", "16 letters, as `wardlink centre commands` shows them") from error
    found = within(file, lambda connection: orders.bundle(connection, gateway, wanted))
    if found is None:
        raise DeskError("the bundle is not here, or not all of it", "`wardlink centre commands` says how much has come")
    return found


def read(words: Sequence[str]) -> Said:
    """A verb and what belongs to it. Raises DeskError."""
    verb, rest = (words[0], list(words[1:])) if words else ("", [])
    reads: dict[str, Callable[[list[str]], Said]] = {
        "resend": _resend,
        "set-policy": _policy,
        "rotate": _rotate,
        "collect-bundle": _collect,
        "update": _update,
    }
    if verb not in reads:
        raise DeskError(f"{verb!r} is no command", "\n      ".join(USAGE.values()))
    try:
        return reads[verb](rest)
    except ValueError as error:
        raise DeskError(f"{verb}: {error}", USAGE[verb]) from error


def _resend(words: list[str]) -> Said:
    word, epoch, listed = words
    ranges = [_range(part) for part in listed.split(",")]
    if not 0 < len(ranges) <= RANGES_LIMIT_COUNT or word not in {cls.word for cls in Class}:
        raise ValueError("a class that is none, or too many ranges")
    return Resend([Wanted(int(epoch), int(Class[word.upper()]), ranges)])


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    low, high = int(first), int(last or first)
    if not 0 <= low <= high < 1 << 32:
        raise ValueError(f"{text} is no range")
    return low, high


def _policy(words: list[str]) -> Said:
    if words == ["default"]:
        return SetPolicy()
    said = dict(word.split("=", 1) for word in words)
    interval, waves = said.pop("interval_s", None), said.pop("waves", None)
    if said or not words:
        raise ValueError(f"{' '.join(said) or 'nothing'} is no policy")
    ms = None if interval is None else round(float(interval) * 1000)
    if ms is not None and not INTERVAL_LEAST_MS <= ms <= INTERVAL_LIMIT_MS:
        raise ValueError(f"an interval of {interval} s")
    try:
        return msgspec.convert([2, ms, waves], type=SetPolicy)
    except msgspec.ValidationError as error:
        raise ValueError(f"waves={waves}") from error


def _rotate(words: list[str]) -> Said:
    (file,) = words
    data = Path(file).read_bytes()
    if not 0 < len(data) <= DIRECTORY_LIMIT_BYTES:
        raise ValueError(f"{file} has {len(data)} bytes: no directory")
    return Rotate(data)


def _collect(words: list[str]) -> Said:
    if words:
        raise ValueError("nothing else belongs to it")
    return CollectBundle()


def _update(words: list[str]) -> Said:
    version, url, digest, floor = (*words, *["0.0"][: 4 - len(words)])
    sha256 = bytes.fromhex(digest)
    if len(sha256) != hashlib.sha256().digest_size or not (is_version(version) and is_version(floor) and is_url(url)):
        raise ValueError("a version, an https address or a SHA-256 that is none")
    return Update(version, url, sha256, floor)


def within(file: Path, work: Callable[[Connection], T]) -> T:
    """Work on the store that this configuration names. Raises ConfigError, StoreError."""
    opened: Engine = engine.open_engine(config.read(file).store)
    try:
        with opened.begin() as connection:
            return work(connection)
    except SQLAlchemyError as error:
        raise engine.said(error) from error
    finally:
        opened.dispose()
