"""TOML written: what tomllib reads back as the same. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def written(raw: Mapping[str, Any]) -> str:
    """A mapping of texts, numbers, booleans, lists and mappings; tables stand inline, one key a line."""
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in raw.items())


def text(value: str) -> str:
    """In quotes."""
    return '"' + "".join(_letter(one) for one in value) + '"'


def _letter(one: str) -> str:
    if one in '"\\':
        return f"\\{one}"
    return one if one.isprintable() else f"\\U{ord(one):08X}"


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() and key.isascii() else text(key)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return text(value)
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {_value(one)}" for key, one in value.items()) + " }" if value else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    assert isinstance(value, int | float), type(value)
    return repr(value)
