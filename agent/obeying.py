"""Carries out what the centre commands, answers, and has all of it written down. wire/command.py has the list of verbs.

Nothing here reaches a port, a driver or a shell: a policy is a small file, a directory goes to whoever checks it, a
bundle is made of files, an update is a request that another program may take.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from agent import VERSION, durable, policy
from agent.audit import FOLDER, Audit
from agent.auditing import Auditing
from agent.config import Config
from agent.history import History
from agent.policy import POLICY_FILE
from agent.trying import Trying
from agent.update.wish import UPDATE_FILE, Wish
from wire import reply
from wire.command import CollectBundle, Command, Resend, Rotate, SetPolicy, Update, version_key
from wire.reply import Answer, Outcome, Piece

if TYPE_CHECKING:
    from agent.gateway import Gateway
    from agent.identity import Identity

DIAGNOSIS_FILE = "diagnosis.wldg"
UPDATER = Path("/usr/lib/wardlink/updater")  # comes with the image
ANSWERS_LIMIT_COUNT = 16
log = logging.getLogger("wardlink.commands")


class RefusedError(Exception):
    """It is not done, and why."""


class Obeying:
    """`take_directory` is given a directory's bytes, says what happened, raises RefusedError."""

    def __init__(self, gateway: Gateway, who: Identity, utc: Callable[[], int | None]) -> None:
        config, world = gateway.config, gateway.world
        self._gateway = gateway
        self._signer = who.signer
        self._utc = utc
        self.recipients = who.recipients  # another list may be put here at any time
        self._files = world.files()
        self._state = Path(config.state)
        self.take_directory: Callable[[bytes], Awaitable[str]] = _nobody
        self.policy = policy.load(self._files, self._state / POLICY_FILE)
        self.history = History(gateway.epoch, Path(config.runtime), world.now, gateway.utc.anchor)
        audit = Audit(self._files, self._state / FOLDER, who.signer, gateway.epoch, world.now, utc)
        self.auditing = Auditing(audit, gateway.keeping.on_thread, world.now, gateway.pulse.audited)
        self._todo: asyncio.Queue[tuple[Command, str]] = asyncio.Queue()
        self._told: asyncio.Queue[tuple[bytes, Answer]] = asyncio.Queue()
        self._bundle: asyncio.Queue[bytes] = asyncio.Queue()
        self._sending = False
        self._trying = Trying(self._files, self._state, gateway.keeping, self._reply)
        self._answers: OrderedDict[bytes, Answer | None] = OrderedDict()  # by nonce; None: it is being done

        self.link = self.history.link
        gateway.uplink.obey(self._hear, self._refused)
        self._apply()
        self._say_start()

    def _say_start(self) -> None:
        kids = " ".join(one.kid.hex() for one in self.recipients)
        digest = config_digest(self._gateway.config)
        self.auditing.say("gateway", "start", version=VERSION, config=digest, recipients=kids)

    async def end(self) -> None:
        self.auditing.say("gateway", "stop")
        await self.auditing.write(last=True)
        self.history.write()

    @property
    def interval_s(self) -> float:
        """How often a bundle is closed."""
        said = self.policy.interval_ms
        return self._gateway.config.interval_s if said is None else said / 1000

    async def run(self) -> None:
        """Until cancelled: what is commanded, one after the other."""
        async with asyncio.TaskGroup() as group:
            for work in (self.auditing.run, self.history.run, self._work, self._answer, self._send, self._trying.run):
                group.create_task(work())

    def _hear(self, command: Command, came: str) -> None:
        """A command was taken; should its answer have been lost, it comes again, and is not done again."""
        if command.nonce in self._answers:
            answer = self._answers[command.nonce]
            if answer is not None:
                self._told.put_nowait((command.nonce, answer))
            return
        self._answers[command.nonce] = None
        while len(self._answers) > ANSWERS_LIMIT_COUNT:
            self._answers.popitem(last=False)
        self._todo.put_nowait((command, came))

    def _refused(self, reason: str, why: str, nonce: bytes) -> None:
        self.auditing.refused(reason)
        if nonce:
            self._told.put_nowait((nonce, Answer("refused", f"{reason}: {why}")))

    async def _work(self) -> None:
        while True:
            command, came = await self._todo.get()
            outcome, text = await self._done(command, came)
            log.info("command=%s outcome=%s text=%r", command.verb, outcome, text)
            told = {"verb": command.verb, "nonce": command.nonce.hex(), "outcome": outcome, "text": text}
            self.auditing.say("centre", "command", **told)
            answer = Answer(outcome, text)
            self._answers[command.nonce] = answer
            self._told.put_nowait((command.nonce, answer))

    async def _done(self, command: Command, came: str) -> tuple[Outcome, str]:
        try:
            if isinstance(command.said, Update):
                return await self._update(command.said, command.nonce)
            return "done", await self._do(command.said, command.nonce, came)
        except RefusedError as error:
            return "refused", str(error)
        except OSError as error:
            return "failed", f"{type(error).__name__}: {error.strerror}"

    async def _do(self, said: Resend | SetPolicy | Rotate | CollectBundle, nonce: bytes, came: str) -> str:
        """What came of all but an update. Raises RefusedError, OSError."""
        on_thread = self._gateway.keeping.on_thread
        match said:
            case Resend():
                return came
            case SetPolicy():
                await on_thread(lambda: policy.store(self._files, self._state / POLICY_FILE, said))
                self.policy = said
                self._apply()
                return policy.words(said) or "as configured"
            case Rotate():
                return await self.take_directory(said.directory)
            case CollectBundle():
                return await self._collect(nonce)

    def _apply(self) -> None:
        self._gateway.uplink.let_waves(wait=self.policy.waves == "ask")

    async def _update(self, said: Update, nonce: bytes) -> tuple[Outcome, str]:
        """Raises RefusedError, OSError."""
        if version_key(said.version) == version_key(VERSION):
            return "done", f"{VERSION} runs here already"
        text = await self._gateway.keeping.on_thread(lambda: self._wish(said, nonce))
        self._trying.begin()
        return "begun", text

    def _wish(self, said: Update, nonce: bytes) -> str:
        if version_key(said.version) < version_key(VERSION):
            raise RefusedError(f"{said.version} is older than {VERSION}, which runs here")
        if version_key(said.floor) > version_key(said.version):
            raise RefusedError(f"{said.version} is below the floor {said.floor}")
        if not UPDATER.exists():
            raise RefusedError("no updater on this machine: nothing was downloaded or changed")
        wish = Wish(said.version, said.url, said.sha256.hex(), said.floor, nonce.hex())
        durable.place(self._files, self._state / UPDATE_FILE, msgspec.json.encode(wish))
        return f"{said.version} is asked of the updater"

    async def _collect(self, nonce: bytes) -> str:
        if self._sending:
            raise RefusedError("a bundle is being sent already")
        from agent import diagnosis  # noqa: PLC0415  most gateways never make one

        gateway = self._gateway
        self.history.write()
        secret, utc = gateway.world.entropy(32), self._utc()
        data = await asyncio.to_thread(
            diagnosis.made, gateway.config, self._signer, self.recipients, secret, gateway.epoch, utc
        )
        await gateway.keeping.on_thread(lambda: durable.place(self._files, self._state / DIAGNOSIS_FILE, data))
        self._sending = True
        self._bundle.put_nowait(nonce)
        return f"{len(data)} bytes follow in {pieces_of(len(data))} pieces"

    async def _answer(self) -> None:
        while True:
            nonce, answer = await self._told.get()
            await self._reply(nonce, answer)

    async def _reply(self, nonce: bytes, answer: Answer) -> str:
        """Empty, or why the broker did not take it."""
        failure = await self._gateway.uplink.replies.send(reply.sign(self._signer, nonce, answer))
        if failure:
            log.warning("reply outcome=%s broker=%r", answer.outcome, failure)
        return failure

    async def _send(self) -> None:
        """The pieces of a bundle, read as they go: five megabytes are too many to keep in memory."""
        while True:
            self._sending = not self._bundle.empty()
            nonce = await self._bundle.get()
            number, pieces = 0, 1
            while number < pieces:
                piece = await self._gateway.keeping.on_thread(partial(self._piece, number))
                number, pieces = number + 1, piece.pieces
                data = reply.sign(self._signer, nonce, piece)
                if why := await self._gateway.uplink.replies.send(data, piece=True):
                    log.warning("bundle piece=%d of=%d broker=%r", number, pieces, why)
                    break

    def _piece(self, number: int) -> Piece:
        limit = reply.PIECE_LIMIT_BYTES
        data, size = durable.stretch(self._files, self._state / DIAGNOSIS_FILE, number * limit, limit)
        return Piece(number, pieces_of(size), data)


def pieces_of(size_bytes: int) -> int:
    return -(-size_bytes // reply.PIECE_LIMIT_BYTES)


def config_digest(config: Config) -> str:
    """So that a change between two starts is seen, but for where our folders are."""
    plain = msgspec.structs.replace(config, keys="", state="", runtime="")
    return hashlib.sha256(msgspec.json.encode(plain)).hexdigest()[:16]


async def _nobody(_directory: bytes) -> str:
    raise RefusedError("this gateway takes no directory")
