"""Keeping the process small, for a gateway shares a small computer with others, and keeping its memory to itself."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import resource
from concurrent.futures import ThreadPoolExecutor

M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3  # malloc.h
PR_SET_DUMPABLE = 4  # linux/prctl.h
LARGE_BYTES = 256 * 1024  # what is larger goes back to the system when it is freed
WAITING_THREADS = 2  # for what blocks and is rare: names, handshakes, opening ports


def begin() -> None:
    """Before any thread starts: glibc's malloc need not keep a heap for each."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(WAITING_THREADS, thread_name_prefix="waits"))
    hide()


def hide() -> None:
    """No core dump, and no debugger of the same user: what this process holds in the clear is on no disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def settle() -> None:
    """After start: what it made stays, so the collector need not look at it again; what it only needed goes back."""
    gc.collect()
    gc.freeze()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
