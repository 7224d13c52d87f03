"""What the centre has set for this gateway (command `set-policy`): goes before gateway.toml until it is taken back."""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from agent import durable
from agent.spool.files import Files
from wire.command import SetPolicy

POLICY_FILE = "policy"
log = logging.getLogger("wardlink.policy")


def load(files: Files, file: Path) -> SetPolicy:
    """As it was stored; nothing is set where the file is missing, or is none: that is said."""
    try:
        data = durable.read(files, file)
        return msgspec.json.decode(data, type=SetPolicy) if data else SetPolicy()
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("policy cannot be read, the configuration counts why=%r", str(error))
        return SetPolicy()


def store(files: Files, file: Path, policy: SetPolicy) -> None:
    """Durable when this returns. Raises OSError."""
    durable.replace(files, file, msgspec.json.encode(policy))


def words(policy: SetPolicy) -> str:
    """For people: what is set; empty where nothing is."""
    said = []
    if policy.interval_ms is not None:
        said.append(f"interval {policy.interval_ms / 1000:g} s")
    if policy.waves is not None:
        said.append("late waves only when asked for" if policy.waves == "ask" else "late waves by themselves")
    return ", ".join(said)
