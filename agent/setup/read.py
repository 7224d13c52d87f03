"""`wardlink.txt` read: the text of a person to a Setup, or to everything that is wrong with it. Pure.

TOML in a file that any laptop opens: byte order marks, Windows line ends and trailing blanks do no harm.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from typing import Any

import msgspec

from agent.setup.judge import faults_of
from agent.setup.lines import line_of, plain, typographic
from agent.setup.terms import KEPT, SECRETS, TEXT_LIMIT_BYTES, Ethernet, Fault, Mobile, Setup, Wifi

_TABLES: Mapping[str, type[msgspec.Struct]] = {"ethernet": Ethernet, "wifi": Wifi, "mobile": Mobile}
_KINDS = ("str", "int", "bool", "array", "object", "float")
Raw = dict[str, Any]


class SetupError(Exception):
    """It cannot be used: all that is wrong, the first line first."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(f"{len(faults)} things are wrong")
        self.faults = faults


def parse(data: bytes) -> tuple[str, Raw]:
    """(the text made plain, its keys). Raises SetupError."""
    if len(data) > TEXT_LIMIT_BYTES:
        raise SetupError([Fault(0, f"larger than {TEXT_LIMIT_BYTES >> 10} KiB", "is it the right file?")])
    try:
        text = plain(data)
    except UnicodeDecodeError as error:
        number = data[: error.start].count(b"\n") + 1
        raise SetupError([Fault(number, "not UTF-8 text", "save it as UTF-8 (Notepad: Save as, Encoding)")]) from error
    try:
        return text, tomllib.loads(text)
    except RecursionError as error:
        raise SetupError([Fault(0, "brackets within brackets without end", 'like key = "value"')]) from error
    except ValueError as error:  # a syntax error is one; so is a number of 5000 digits
        raise SetupError([_syntax(text, str(error))]) from error


def setup_of(text: str, raw: Raw, names: frozenset[str] | None = None) -> Setup:
    """`names`: the files that lie beside it; None: not looked at. Raises SetupError."""
    faults = _unknown(text, raw)
    try:
        setup = msgspec.convert(_known(raw), Setup)
    except msgspec.ValidationError as error:
        raise SetupError(sorted_([*faults, _typed(text, str(error))])) from error
    faults += faults_of(text, setup, names)
    if faults:
        raise SetupError(sorted_(faults))
    return setup


def kept(setup: Setup, before: Setup | None) -> tuple[Setup, list[str]]:
    """With the secrets that were taken over before; and the places of those that nobody has any more."""
    raw, old = msgspec.to_builtins(setup), msgspec.to_builtins(before) if before else {}
    lost = []
    for place in SECRETS:
        table, _, key = place.rpartition(".")
        here = raw[table] if table else raw
        if here and here[key] == KEPT:
            there = old.get(table) if table else old
            here[key] = (there or {}).get(key, "")
            if not here[key] and place != "voucher":  # one that was used is gone for good
                lost.append(place)
    return msgspec.convert(raw, Setup), lost


def sorted_(faults: list[Fault]) -> list[Fault]:
    return sorted(faults, key=lambda fault: (fault.line == 0, fault.line))


def _syntax(text: str, said: str) -> Fault:
    found = re.search(r" \(at line (\d+), column \d+\)", said)
    number = int(found.group(1)) if found else 0 if "end of document" not in said else text.count("\n") + 1
    what = re.sub(r" \(at .*\)", "", said)
    if typographic(text, number):
        return Fault(number, "typographic quotes", 'text values stand in plain double quotes: "..."')
    what = what[:1].lower() + what[1:]
    if "overwrite" in what or "declare" in what:
        return Fault(number, "the same key or [table] stands there twice", "leave one of them")
    return Fault(number, what, 'like key = "value"; text values stand in double quotes')


def _unknown(text: str, raw: Raw) -> list[Fault]:
    faults = []
    kinds: list[tuple[str, type[msgspec.Struct]]] = [("", Setup), *_TABLES.items()]
    for table, kind in kinds:
        here = raw.get(table) if table else raw
        if not isinstance(here, dict):
            continue
        known = list(kind.__struct_fields__)
        for key in here:
            place = f"{table}.{key}" if table else key
            if key not in known:
                faults.append(Fault(line_of(text, place), f"unknown key {key!r}", _meant(table, key, known)))
    return faults


def _meant(table: str, key: str, known: list[str]) -> str:
    if table and key in Setup.__struct_fields__:
        return f"it belongs above the first [table], not into [{table}]"
    near = difflib.get_close_matches(key, known, n=1)
    if near:
        return f"did you mean {near[0]!r}?"
    home = next((name for name, kind in _TABLES.items() if key in kind.__struct_fields__ and name != table), "")
    return f"it belongs into [{home}]" if home else f"known keys: {', '.join(known)}"


def _known(raw: Raw) -> Raw:
    """Without the keys that were named already."""
    left: Raw = {}
    for key, value in raw.items():
        kind = _TABLES.get(key)
        if kind is not None and isinstance(value, dict):
            left[key] = {word: one for word, one in value.items() if word in kind.__struct_fields__}
        elif key in Setup.__struct_fields__:
            left[key] = value
    return left


def _typed(text: str, said: str) -> Fault:
    """msgspec says what, and where as `$.wifi.mtu`."""
    found = re.search(r" - at `\$\.?([^`]*)`", said)
    place = re.sub(r"\[\.\.\.\]|\[\d+\]$", "", found.group(1)) if found else ""
    what = said[: found.start()] if found else said
    missing = re.search(r"missing required field `([^`]*)`", said)
    if missing:
        key = missing.group(1)
        where = f"[{place}]: " if place else ""
        return Fault(line_of(text, place) if place else 0, f"{where}the key {key!r} is missing", f'{key} = "..."')
    what = f"{place.rpartition('.')[2]}: {what[:1].lower()}{what[1:]}" if place else what
    if "got `str`" in said or not any(f"`{kind}`" in said for kind in _KINDS):
        return Fault(line_of(text, place), what, "the annotated wardlink.txt explains each key")
    return Fault(line_of(text, place), what, "text values stand in double quotes, numbers without")
