"""What Bumble says and raises, in the words of bleak."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from bleak.exc import (
    BleakBluetoothNotAvailableError,
    BleakBluetoothNotAvailableReason,
    BleakDBusError,
    BleakError,
    BleakGATTProtocolError,
)
from bumble import hci
from bumble.att import ATT_Error
from bumble.core import UUID, BaseBumbleError
from bumble.hci import Address

from drivers.capture import full

FAILURES = (BaseBumbleError, hci.HCI_Error, asyncio.TimeoutError, ValueError, RuntimeError, AssertionError)
T = TypeVar("T")


def failed(why: str) -> BleakDBusError:
    return BleakDBusError("org.bluez.Error.Failed", [why])


def not_available(reason: BleakBluetoothNotAvailableReason) -> BleakBluetoothNotAvailableError:
    return BleakBluetoothNotAvailableError("bleak's own words", reason)


def long(uuid: UUID) -> str:
    text = uuid.to_hex_str("-").lower()
    return full(text) if len(text) == 4 else text


def plain(address: Address) -> str:
    return str(address).split("/", maxsplit=1)[0]


async def did(work: Coroutine[Any, Any, T]) -> T:
    """What is awaited, and what it raises. Bumble cancels what waited for a lost link; our own cancelling is ours."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        raise
    if task.cancelled():
        raise BleakError("disconnected")
    error = task.exception()
    if isinstance(error, ATT_Error):
        raise BleakGATTProtocolError(error.error_code) from error
    if isinstance(error, FAILURES):
        raise failed(f"{type(error).__name__}: {error}") from error
    return task.result()
