"""`wardlink.txt` without its secrets, everything else as the engineer left it. Pure."""

from __future__ import annotations

import tomllib
from typing import Any

from agent.setup import toml
from agent.setup.lines import plain, spread
from agent.setup.terms import KEPT, SECRETS

_HEAD = "# Written anew by the gateway, because secrets had to be taken out of it; comments went with them.\n"


def blanked(data: bytes) -> tuple[bytes, list[str]]:
    """(the file without secrets, the places of those that were there). `data` was read once, and was right."""
    text = plain(data)
    raw = tomllib.loads(text)
    secrets = {place: value for place in SECRETS if (value := _at(raw, place)) not in ("", None, KEPT)}
    if not secrets:
        return data, []
    wanted = _without(raw, list(secrets))
    for place in secrets:
        text = _line_blanked(text, place)
    text = _comments_blanked(text, [value for value in secrets.values() if len(value) >= 4])
    if not _is(text, wanted):  # written in a way that has no line of its own: inline tables, dotted keys
        text = _HEAD + toml.written(wanted)
    end = "\r\n" if b"\r\n" in data else "\n"
    return text.replace("\n", end).encode(), list(secrets)


def _line_blanked(text: str, place: str) -> str:
    first, last = spread(text, place)
    if not first:
        return text
    lines = text.split("\n")
    key = place.rpartition(".")[2]
    indent = lines[first - 1][: len(lines[first - 1]) - len(lines[first - 1].lstrip())]
    lines[first - 1 : last] = [f"{indent}{key} = {toml.text(KEPT)}"]
    return "\n".join(lines)


def _comments_blanked(text: str, secrets: list[str]) -> str:
    """A password that somebody noted down a second time."""
    lines = text.split("\n")
    for at, line in enumerate(lines):
        body, mark, comment = line.partition("#")
        if mark and any(secret in comment for secret in secrets):
            lines[at] = f"{body}#"
    return "\n".join(lines)


def _is(text: str, wanted: dict[str, Any]) -> bool:
    try:
        return tomllib.loads(text) == wanted
    except tomllib.TOMLDecodeError:
        return False


def _at(raw: dict[str, Any], place: str) -> Any:
    table, _, key = place.rpartition(".")
    here = raw.get(table, {}) if table else raw
    return here.get(key)


def _without(raw: dict[str, Any], places: list[str]) -> dict[str, Any]:
    left = {key: dict(value) if isinstance(value, dict) else value for key, value in raw.items()}
    for place in places:
        table, _, key = place.rpartition(".")
        (left[table] if table else left)[key] = KEPT
    return left
