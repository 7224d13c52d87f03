"""The kernel's own account of its clock: adjtimex(2)."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any

_STA_UNSYNC = 0x0040
_STA_NANO = 0x2000


class _Timex(ctypes.Structure):
    """struct timex of linux/timex.h, as far as it is read; the rest is room."""

    _fields_ = [
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_long * 32),
    ]


@dataclass(frozen=True, slots=True)
class Kernel:
    """`error_us` is its maximum error, None where nobody disciplines it; `left_us` what it has still to be slewed."""

    error_us: int | None
    left_us: int


def state() -> Kernel:
    """What the kernel says now. It knows nothing where it refuses to say."""
    said = _Timex()
    if _libc().adjtimex(ctypes.byref(said)) < 0:
        return Kernel(None, 0)
    left = abs(int(said.offset)) // (1000 if said.status & _STA_NANO else 1)
    return Kernel(None if said.status & _STA_UNSYNC else int(said.maxerror), left)


@cache
def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)
