"""What `wardlink.txt` means, with the files beside it: the same on an engineer's laptop and on the machine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from agent import config
from agent.setup import preseed, read
from agent.setup.lines import line_of
from agent.setup.preseed import Raw
from agent.setup.read import SetupError
from agent.setup.render import OURS, gateway
from agent.setup.terms import FILE_LIMIT_BYTES, FILES, SETUP_FILE, Fault, Setup, Whole
from config.load import ConfigError


def judged(
    data: bytes, beside: Path, under: Raw | None = None, before: Whole | None = None, *, laptop: bool = False
) -> Whole:
    """What wardlink.txt means. `beside`: its folder; `under`: what lies below it; `before`: where secrets may be.

    On a laptop nobody knows what the gateway keeps. Raises SetupError.
    """
    text, raw = read.parse(data)
    if not raw:
        raise SetupError([Fault(0, f"{SETUP_FILE} is not filled in", "site, broker and voucher; docs/setup.md")])
    old = before.files if before else {}
    names = frozenset(old) | frozenset(one.name for one in beside.iterdir())
    setup = read.setup_of(text, preseed.below(raw, under or {}), names)
    if not laptop:
        setup, lost = read.kept(setup, before.setup if before else None)
        if lost:
            hint = "type it again: the gateway does not have it"
            raise SetupError([Fault(line_of(text, place), f"{place}: not filled in", hint) for place in lost])
    _judge_gateway(text, setup)
    return Whole(setup, _files(text, setup, beside, old))


def _judge_gateway(text: str, setup: Setup) -> None:
    """As the gateway itself will. Raises SetupError."""
    name = Path(SETUP_FILE)
    twice = [key for key in OURS if key in setup.gateway]
    if twice:
        places = [(line_of(text, f"gateway.{key}"), key) for key in twice]
        hint = "it belongs above the first [table], not into [gateway]"
        raise SetupError([Fault(line, f"[gateway] {key}: stands there twice", hint) for line, key in places])
    try:
        config.judged(name, msgspec.convert(gateway(setup), config.Config))
    except ConfigError as error:
        words = str(error).removeprefix(f"{name}: ")
        raise SetupError([Fault(line_of(text, "gateway"), words, error.hint)]) from error
    except msgspec.ValidationError as error:
        raise SetupError([_explained(text, str(error))]) from error


def _explained(text: str, said: str) -> Fault:
    """msgspec says what, and where as `$.port[0].baud`; it stands below [gateway]."""
    found = re.search(r" - at `\$\.?([^`]*)`", said)
    unknown = re.search(r"unknown field `([^`]*)`", said)
    place = ".".join(one for one in ("gateway", found.group(1) if found else "", unknown and unknown.group(1)) if one)
    words = f"unknown key {unknown.group(1)!r}" if unknown else said[: found.start()] if found else said
    return Fault(line_of(text, place), f"[gateway] {words}", "as in gateway.toml: its default file explains each key")


def _files(text: str, setup: Setup, beside: Path, old: Mapping[str, bytes]) -> dict[str, bytes]:
    """What the setup names, from the boot partition; else as it was taken over before. Raises SetupError."""
    files: dict[str, bytes] = {}
    for place in FILES:
        name = getattr(setup.wifi, place.partition(".")[2]) if setup.wifi else ""
        if not name:
            continue
        file = beside / name
        data = file.read_bytes()[: FILE_LIMIT_BYTES + 1] if file.is_file() else old.get(name, b"")
        if b"-----BEGIN " not in data or len(data) > FILE_LIMIT_BYTES:
            raise SetupError([Fault(line_of(text, place), f"{name} is not PEM", "-----BEGIN ...: export it so")])
        files[name] = data
    return files
