"""What came of an update that the centre asked for, told by whichever of the two systems runs then (ADR 25).

The updater leaves `update.trial` in the state folder, which both systems share; `slots` says in /run whether the
running system is on trial, or whether one failed. The file goes once the broker has the answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agent import VERSION, durable
from agent.spool.files import Files
from agent.update.wish import TRIAL_FILE, UPDATE_FILE, Trial
from wire.command import NONCE_BYTES, is_version, version_key
from wire.reply import Answer

WORD = Path("/run/wardlink-trial")
LOOK_S = 30.0
TRIAL_LIMIT_BYTES = 4096
log = logging.getLogger("wardlink.commands")

if TYPE_CHECKING:
    from agent.keeping import Keeping


def came(trial: Trial, word: str, running: str = VERSION) -> Answer | None:
    """None: not decided yet. `word`: `on` while the running system is tried, `failed` after a trial that failed."""
    if trial.refused:
        return Answer("refused", trial.refused)
    if word == "on" or not is_version(trial.version):
        return None
    if word == "failed":
        return Answer("failed", f"{trial.version} was tried and was not well: {running} runs again")
    return Answer("done", f"{running} runs") if version_key(running) == version_key(trial.version) else None


class Trying:
    """`send` gives an answer to the broker, and says why it was not taken."""

    def __init__(
        self, files: Files, state: Path, keeping: Keeping, send: Callable[[bytes, Answer], Awaitable[str]]
    ) -> None:
        self._files, self._state = files, state
        self._keeping, self._send = keeping, send
        self._expected = asyncio.Event()
        if self._is_expected():
            self._expected.set()

    def begin(self) -> None:
        """The updater was asked."""
        self._expected.set()

    async def run(self) -> None:
        """Until cancelled. Costs nothing while no update is expected."""
        while True:
            await self._expected.wait()
            try:
                await self._step()
            except OSError as error:
                log.warning("update: %s: %s", TRIAL_FILE, error.strerror)
            if self._expected.is_set():
                await asyncio.sleep(LOOK_S)

    async def _step(self) -> None:
        on_thread = self._keeping.on_thread
        found = await on_thread(self._found)
        if found is not None and not await self._send(*found):
            await on_thread(self._forget)
        if not await on_thread(self._is_expected):
            self._expected.clear()

    def _is_expected(self) -> bool:
        names = self._files.names(self._state)
        return TRIAL_FILE in names or UPDATE_FILE in names

    def _found(self) -> tuple[bytes, Answer] | None:
        """(the command's nonce, what came of it), once it is decided. Raises OSError."""
        if TRIAL_FILE not in self._files.names(self._state):
            return None
        data, _ = durable.stretch(self._files, self._state / TRIAL_FILE, 0, TRIAL_LIMIT_BYTES)
        try:
            trial = msgspec.json.decode(data, type=Trial)
            nonce = bytes.fromhex(trial.command)
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError):
            nonce = b""
        if len(nonce) != NONCE_BYTES:
            self._forget()
            return None
        answer = came(trial, WORD.read_text("ascii").strip() if WORD.exists() else "")
        return None if answer is None else (nonce, answer)

    def _forget(self) -> None:
        self._files.remove(self._state / TRIAL_FILE)
        self._files.sync_folder(self._state)
