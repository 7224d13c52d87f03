"""Reading a TOML file into a typed structure, with an error that says the line and what was probably meant."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
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
    """msgspec says what, and where as `$.port[0].baud`."""
    found = re.search(r" - at `\$\.?([^`]*)`", said)
    place = found.group(1) if found else ""
    unknown = re.search(r"unknown field `([^`]*)`", said)
    if unknown:
        key = unknown.group(1)
        known = _keys(kind, place)
        import difflib  # noqa: PLC0415  rarely needed, and 0.2 MiB

        near = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
        return ConfigError(f"{path}{_line(text, place, key)}: unknown key {key!r}", hint)
    missing = re.search(r"missing required field `([^`]*)`", said)
    if missing:
        where = f"{path}{_line(text, place, '')}"
        return ConfigError(
            f"{where}: the key {missing.group(1)!r} is missing", "the annotated default file explains it"
        )
    table, _, key = place.rpartition(".")
    return ConfigError(f"{path}{_line(text, table, key)}: {said}", "the annotated default file explains each key")


def _line(text: str, table: str, key: str) -> str:
    """`:number` of the line of `key` in `table` (`spool`, `port[1]`), or of the table itself; empty if not found."""
    here = ""
    seen: Counter[str] = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*(\[\[?)\s*([\w.-]+)", line)
        if header:
            name = header.group(2)
            here = name if header.group(1) == "[" else f"{name}[{seen[name]}]"
            seen[name] += 1
        wanted = re.match(rf"\s*[\"']?{re.escape(key)}\b", line) if key else header
        if here == table and wanted:
            return f":{number}"
    return ""


def _keys(kind: type[object], place: str) -> list[str]:
    """The keys of the structure at a place such as `port[0]`."""
    info: msgspec.inspect.Type = msgspec.inspect.type_info(kind)
    for part in place.split(".") if place else ():
        assert isinstance(info, msgspec.inspect.StructType)
        name, bracket, _ = part.partition("[")
        info = next(field.type for field in info.fields if field.encode_name == name)
        if bracket:
            assert isinstance(info, msgspec.inspect.ListType | msgspec.inspect.VarTupleType)
            info = info.item_type
    assert isinstance(info, msgspec.inspect.StructType)
    return sorted(field.encode_name for field in info.fields)
