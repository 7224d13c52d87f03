"""Reading a TOML file into a typed structure, with an error that says the line and what was probably meant."""

from __future__ import annotations

import difflib
import re
import tomllib
from pathlib import Path
from typing import TypeVar

import msgspec

CONFIG_LIMIT_BYTES = 1 << 20
T = TypeVar("T")


class ConfigError(Exception):
    """The configuration is not usable: `str(error)` says what, `hint` says what to do."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def read(path: Path, kind: type[T]) -> T:
    """The file as a `kind` (a msgspec Struct with forbid_unknown_fields). Raises ConfigError."""
    try:
        text = path.read_bytes()[:CONFIG_LIMIT_BYTES].decode("utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}", "name another file with --config") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text", "save it as UTF-8") from error
    try:
        return msgspec.convert(tomllib.loads(text), type=kind)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: {error}", "text values stand in double quotes") from error
    except msgspec.ValidationError as error:
        raise _explained(path, text, kind, str(error)) from error


def _explained(path: Path, text: str, kind: type[object], said: str) -> ConfigError:
    unknown = re.search(r"unknown field `([^`]*)`", said)
    if unknown:
        key = unknown.group(1)
        near = difflib.get_close_matches(key, sorted(_keys(kind)), n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(sorted(_keys(kind)))}"
        return ConfigError(f"{path}{_line(text, key)}: unknown key {key!r}", hint)
    missing = re.search(r"missing required field `([^`]*)`", said)
    if missing:
        return ConfigError(f"{path}: the key {missing.group(1)!r} is missing", "the annotated default file explains it")
    place = re.search(r"`\$\.?([^`]*)`", said)
    key = re.split(r"[.\[]", place.group(1))[-1] or place.group(1) if place else ""
    return ConfigError(f"{path}{_line(text, key)}: {said}", "the annotated default file explains each key")


def _line(text: str, key: str) -> str:
    pattern = re.compile(rf"^\s*(\[+\s*)?{re.escape(key)}\b")
    for number, line in enumerate(text.splitlines(), 1):
        if key and pattern.match(line):
            return f":{number}"
    return ""


def _keys(kind: type[object]) -> set[str]:
    """Every key of a structure and of those within it."""
    keys: set[str] = set()
    waiting: list[msgspec.inspect.Type] = [msgspec.inspect.type_info(kind)]
    while waiting:
        info = waiting.pop()
        if isinstance(info, msgspec.inspect.StructType):
            keys.update(field.encode_name for field in info.fields)
            waiting.extend(field.type for field in info.fields)
        elif isinstance(info, msgspec.inspect.ListType | msgspec.inspect.VarTupleType):
            waiting.append(info.item_type)
    return keys
