"""Keeping the process small: a gateway shares a small computer with the page and the browser of the ward."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from concurrent.futures import ThreadPoolExecutor

M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3  # malloc.h
LARGE_BYTES = 256 * 1024  # what is larger goes back to the system when it is freed
WAITING_THREADS = 2  # for what blocks and is rare: names, handshakes, opening ports


def begin() -> None:
    """Before any thread starts: glibc's malloc need not keep a heap for each."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(WAITING_THREADS, thread_name_prefix="waits"))


def settle() -> None:
    """After start: what it made stays, so the collector need not look at it again; what it only needed goes back."""
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
