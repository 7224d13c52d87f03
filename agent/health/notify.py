"""The service manager: READY, STATUS, and a WATCHDOG that is fed by progress of the data path alone."""

from __future__ import annotations

import os
from pathlib import Path

from systemd import daemon  # type: ignore[attr-defined]  # our own folder systemd/ hides it from mypy


def ready(status: str) -> None:
    daemon.notify(f"READY=1\nSTATUS={status}")


def progress(status: str) -> None:
    """A bundle interval passed and its envelopes are durable, or could not be made durable and that was said."""
    daemon.notify(f"WATCHDOG=1\nSTATUS={status}")


def stopping() -> None:
    daemon.notify("STOPPING=1")


def replace(path: Path, data: bytes) -> None:
    """Write a file of the runtime folder (memory, not the card) so that a reader sees the old or the new one."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_bytes(data)
    aside.replace(path)
