"""Renewal inside the running gateway: another certificate and directory while capture goes on, without a restart.

The work is done by a child process, `wardlink enrol renew` or `directory`: reading certificates takes memory that this
process could never give back. What the child wrote is then read here, and counts at once: recipients with the next
beat, keys of the centre with the next receipt, the certificate with the next connection.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent import again, identity
from agent.enrol import standing
from agent.enrol.places import ENROLLED_FILE
from agent.enrol.standing import Enrolled
from agent.health.status import TrustStatus
from agent.trust import DirectoryRefusedError, broker
from agent.uplink.account import LinkState
from agent.uplink.dates import HINTS
from agent.uplink.tls import LinkError
from config.load import ConfigError
from wire.keys import Recipient

if TYPE_CHECKING:
    from agent.gateway import Gateway

LOOK_S = 60.0
AGAIN_S = 3600.0  # at the earliest after a renewal, whatever certificate it brought
CHILD_LIMIT_S = 300.0
EXPIRED = "the gateway's certificate has expired"  # as agent/uplink/tls.py says it
log = logging.getLogger("wardlink.renewal")
Child = Callable[[Sequence[str], bytes], Awaitable[tuple[int, bytes]]]


class Said(msgspec.Struct):
    """What the child says where it fails. `final`: trying again does not help."""

    error: str = ""
    hint: str = ""
    final: bool = False


@dataclass(frozen=True, slots=True)
class Believers:
    """Who in this process must hear of a change, and what is asked of the world.

    Microseconds since 1970: `passed` have surely passed; it is between the two of `known`, None where nobody knows;
    `shown` says the wall clock, whatever it is worth.
    """

    grant_to: Callable[[Sequence[Recipient]], None]
    believe: Callable[[Sequence[Ed25519PublicKey]], None]
    redial: Callable[[], None]
    passed: Callable[[], int]
    known: Callable[[], tuple[int, int] | None]
    shown: Callable[[], int]
    uniform: Callable[[float, float], float]


class Renewing:
    """`child` does the work: called with the words of `wardlink enrol` and its stdin."""

    def __init__(self, keys: Path, believers: Believers, child: Child) -> None:
        self._keys = keys
        self._believers = believers
        self._child = child
        self._one = asyncio.Lock()  # the keys folder changes once at a time
        self._failures = 0
        self._seen = b""
        self._problem = self._hint = ""
        self._is_down = True
        self._is_expired = False

    def link(self, state: LinkState) -> None:
        """The broker knows that the certificate has expired, but cannot always say so before the connection ends."""
        self._is_down = not state.connected
        self._is_expired = self._is_down and (self._is_expired or EXPIRED in state.message)

    async def run(self) -> None:
        """For ever: renew when it is due; take what somebody else wrote into the keys folder."""
        clock_s, uniform = asyncio.get_running_loop().time, self._believers.uniform
        self._seen = self._file()
        due_s = clock_s() + uniform(0, LOOK_S)  # a ward comes back from a power cut all at once
        while True:
            await asyncio.sleep(LOOK_S)
            self.take_over()
            if clock_s() >= due_s and self._is_due():
                rest_s = AGAIN_S if await self._renew() else standing.wait_s(self._failures, uniform)
                due_s = clock_s() + rest_s

    async def take_directory(self, data: bytes) -> int:
        """As `Trust.take_directory`. Raises DirectoryRefusedError."""
        code, out = await self._work(["directory", "-"], data)
        if code:
            said = _said(out)
            raise DirectoryRefusedError(said.error, said.hint)
        enrolled = self.enrolled()
        assert enrolled is not None, "the child has written it"
        return enrolled.version

    def take_over(self) -> None:
        """What stands in the keys folder now counts, if it is another than before."""
        found = self._file()
        if found == self._seen:
            return
        try:
            recipients, centres = identity.recipients(self._keys), identity.centres(self._keys)
            self._believers.redial()
        except (ConfigError, LinkError) as error:
            self._say(f"the keys folder was changed, and is not usable: {error}", error.hint)
            return
        self._believers.grant_to(recipients)
        self._believers.believe(centres)
        self._seen = found
        self._say("", "")
        log.info("enrolment changed recipients=%d centres=%d", len(recipients), len(centres))

    def enrolled(self) -> Enrolled | None:
        """None where the files were made by hand: then nothing is renewed."""
        try:
            return standing.read(self._file())
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None

    def status(self) -> TrustStatus | None:
        enrolled = self.enrolled()
        if enrolled is None:
            return None
        problem, hint = self._problem, self._hint
        if not problem and self._believers.passed() >= enrolled.due:
            problem, hint = _late(enrolled, self._believers.passed())
        if enrolled.revoked:
            problem, hint = "the centre has revoked this gateway", "it goes on recording; ask the centre for a voucher"
        return TrustStatus(enrolled.begins / 1e6, enrolled.ends / 1e6, enrolled.version, problem, hint)

    def _is_due(self) -> bool:
        enrolled = self.enrolled()
        if enrolled is None or enrolled.revoked:
            return False
        passed = self._believers.passed()
        if standing.is_too_late(enrolled, passed):
            what = "the certificate expired more than 180 days ago"
            self._say(what, "it goes on recording; ask the centre for a voucher: wardlink enrol")
            return False
        is_over = self._is_down and self._believers.shown() > enrolled.ends
        return standing.is_due(enrolled, passed, self._is_expired or is_over)  # asking too early costs nothing

    async def _renew(self) -> bool:
        known = self._believers.known()
        words = ["renew", "--known", f"{known[0]}-{known[1]}"] if known else ["renew"]
        code, out = await self._work(words, b"")
        if not code:
            self._failures = 0
            self._is_expired = False
            self._say("", "")
            return True
        said = _said(out)
        hint = f"it goes on recording; {said.hint or 'ask the centre for a voucher: wardlink enrol'}"
        self._failures += 1
        self._say(f"the certificate is not renewed: {said.error}", hint)
        return False

    async def _work(self, words: Sequence[str], data: bytes) -> tuple[int, bytes]:
        async with self._one:
            done = await self._child(words, data)
            self.take_over()
        return done

    def _file(self) -> bytes:
        try:
            return (self._keys / ENROLLED_FILE).read_bytes()
        except OSError:
            return b""

    def _say(self, problem: str, hint: str) -> None:
        if problem and problem != self._problem:
            log.warning("enrolment problem=%r hint=%r", problem, hint)
        self._problem, self._hint = problem, hint


def _late(enrolled: Enrolled, passed: int) -> tuple[str, str]:
    """What to say of a certificate that is due, and of which nothing else is to be said."""
    if not enrolled.url:
        what = "the certificate must be renewed, and no address to renew at is known"
        return what, "by a stick: wardlink enrol request"
    if passed > enrolled.ends:
        return "the certificate has expired", "it is being renewed, and it goes on recording"
    return "", ""


def _said(out: bytes) -> Said:
    try:
        return msgspec.json.decode(out, type=Said)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Said("the child that does it failed", "send the log")


def renewing(gateway: Gateway) -> Renewing:
    """For this gateway, which is put together already."""
    uplink, world = gateway.uplink, gateway.world

    def grant_to(recipients: Sequence[Recipient]) -> None:
        gateway.pulse.grant_to(recipients)
        gateway.obeying.recipients = tuple(recipients)
        kids = " ".join(one.kid.hex() for one in recipients)
        gateway.obeying.auditing.say("gateway", "enrolment", recipients=kids)

    def redial() -> None:
        uplink.broker = broker(gateway.config, gateway.utc.known, uplink.broker.meter)

    def believe(centres: Sequence[Ed25519PublicKey]) -> None:
        uplink.believe(centres)
        gateway.utc.believe(centres)

    def known() -> tuple[int, int] | None:
        found = gateway.utc.known()
        return None if found.by in HINTS else (found.earliest, found.latest)

    believers = Believers(
        grant_to,
        believe,
        redial,
        gateway.utc.passed,
        known,
        world.unix_us,
        world.uniform,
    )
    return Renewing(Path(gateway.config.keys), believers, child_of(world.config_file))


def child_of(config: str) -> Child:
    """Runs `wardlink enrol WORDS` with this configuration: its exit code and stdout. It sees our credentials."""

    async def run(words: Sequence[str], data: bytes) -> tuple[int, bytes]:
        command = again.words("enrol", *words, "--config", config, "--json")
        pipe = asyncio.subprocess.PIPE
        child = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        try:
            async with asyncio.timeout(CHILD_LIMIT_S):
                out, _ = await child.communicate(data)
        except TimeoutError:
            out = b""
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return child.returncode or 0, out

    return run
