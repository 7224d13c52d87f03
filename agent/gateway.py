"""The composition root: the only place where the organs meet. Bytes go in at the ports, envelopes leave both ways.

ports -> sessions -> pulse (shape, code, seal) --+--> spool
                                                 +--> uplink
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent import identity, memory
from agent.associating import Associating
from agent.capping import capped
from agent.config import Config
from agent.health import metrics, notify, status
from agent.health.room import Rooms
from agent.keeping import Keeping, Kept
from agent.last_minutes import last_minutes
from agent.listening import Listening
from agent.numbering import Numbering
from agent.obeying import Obeying
from agent.picture import picture, volumes
from agent.ports.plugs import FOUND
from agent.ports.serial_port import GATHER_S, Rounds
from agent.pulse import Envelope, Pulse
from agent.relaying import Relaying
from agent.sessions.ward import Ward
from agent.spool.epoch import NONCE_BYTES
from agent.spool.spool import Spool
from agent.spool.terms import Lost
from agent.supervisor import Supervisor
from agent.tapes import Tapes
from agent.timing import utc_of
from agent.trust import Trust, broker
from agent.uplink.account import LinkState
from agent.uplink.uplink import Origin, Seams, Uplink
from agent.window import ADOPTED_FILE, BOND_FILE
from agent.world import World
from wire import codec
from wire.seal import Sealer
from wire.topics import Address

if TYPE_CHECKING:
    from agent.discovery import Discovery
    from agent.radio import Radio

PICTURE_S = 2.0  # a nurse shall see within ten seconds that the link is gone
LOOK_AGAIN_S = 60.0
LATE_US = int(GATHER_S * 1_000_000)
PATIENCE_S = 0.25  # how long live waits for the disk: a live envelope that is durable is never sent twice
log = logging.getLogger("wardlink.gateway")


class Gateway:
    """One epoch of one gateway."""

    def __init__(self, config: Config, world: World = World()) -> None:  # noqa: B008  frozen: there is one real world
        who = identity.load(Path(config.keys), receipts=config.confirm == "receipt")
        self.config = config
        self.world = world
        (runtime := Path(config.runtime)).mkdir(parents=True, exist_ok=True)
        self.address = Address(config.site, who.gateway)
        self.supervisor = Supervisor()
        self.started = world.now()
        self.keeping = Keeping(world.thread(), partial(self._open_spool, Path(config.state) / "spool", config.quotas))
        imported = Path(config.state) / "imported"
        self.relaying = Relaying(self.keeping, who.gateway, imported, partial(self._open_spool, quotas={}))
        self.numbering = Numbering(self.keeping)
        self.relaying.used = self.numbering.used
        spool = self.keeping.spool
        self.epoch = spool.epoch
        self.ward = Ward(lambda: codec.Encoder().encode)
        self.tapes = Tapes()
        sealer = Sealer(who.signer, who.recipients, spool.epoch, spool.nonce, world.secret)
        self.utc = utc_of(config, world, who)
        self.pulse = Pulse(self.ward, sealer, partial(self.utc.anchor, LATE_US), config.bed, spool.body_limit_bytes)
        self.pulse.boot = (world.boot(), self.utc.boots)
        self.cap = capped(self)
        self.uplink = Uplink(
            Origin(self.address, spool.epoch, spool.nonce),
            broker(config, self.utc.known),
            who.centres,
            self.relaying,
            Seams(
                self._linked, self._meet, world.now, world.uniform, self.utc.passed, world.dial, self.utc, self.cap.shut
            ),
            relayed=self.relaying.places,
        )
        self.obeying = Obeying(self, who, self.utc.surely)
        self.utc.audit = self.numbering.audit = self.obeying.auditing.say
        self._hurry = asyncio.Event()
        self._beating = asyncio.Lock()
        self._is_over = False  # the last beat was made; a later one would seal what nobody waits for
        self.associating = self.pulse.who = Associating(self, who, self._hurry.set)
        self._rooms = Rooms()
        self._owed: list[Lost] = []
        self._rounds = Rounds()
        listening = Listening(self.ward, self.tapes, world, runtime, self._hurry.set, self._rounds)
        durable, once = self.keeping.was_durable, self.supervisor.once
        self.ports = [listening.port(port, durable, once) for port in config.port if port.driver]
        self._searches = config.discover or any(port.probe for port in config.port)
        known = self._searches and (runtime / FOUND).exists()
        self.discovery: Discovery | None = self._discover() if known else None
        self.radio: Radio | None = None
        self._look_by_radio(begin=False)
        self.trust = Trust(self)

    def _open_spool(self, folder: Path, quotas: dict[int, int]) -> Spool:
        world = self.world
        return Spool.open(folder, quotas, world.files(), world.entropy(NONCE_BYTES), world.limits())

    def _look(self) -> None:
        """Discovery is loaded only where something is plugged in, or was: it takes 0.7 MiB."""
        if self.discovery is None and (self.world.plugged() or any(port.probe for port in self.config.port)):
            self.discovery = self._discover()
        if self.discovery is not None:
            self.discovery.look()

    def _discover(self) -> Discovery:
        from agent.discovery import Discovery, rules_of  # noqa: PLC0415  most beds never need it

        rules = rules_of(self.config)
        runtime, once = Path(self.config.runtime), self.supervisor.once
        found = Discovery(self.ward, self.tapes, self.world, runtime, rules, self._hurry.set, self._rounds, once)
        found.resume(self.keeping.was_durable)
        return found

    def _look_by_radio(self, begin: bool = True) -> None:
        """The radio is loaded only where a device is configured or bonded, or a person wants to bond one."""
        config = self.config
        wanted = (Path(config.state) / ADOPTED_FILE, Path(config.runtime) / BOND_FILE)
        if self.radio is None and (config.radio or any(file.exists() for file in wanted)):
            from agent.marks import MARKS_FILE, Marks  # noqa: PLC0415  most beds never need it
            from agent.radio import Radio  # noqa: PLC0415

            was_durable, once = self.keeping.was_durable, self.supervisor.once
            marks = Marks(self.world.files(), Path(config.state) / MARKS_FILE, was_durable)
            self.radio = Radio(config, self.world, self.ward, self.tapes, marks, self._hurry.set, once)
            self.radio.resume(was_durable)
        if self.radio is not None and begin:
            self.radio.look()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; what was heard by then is sealed, durable, and sent if the link allows when this returns."""
        log.info("gateway starts gateway=%s epoch=%d", self.address.gateway, self.epoch)
        ports = {f"port {port.path}": port.run for port, _ in self.ports}
        listening = asyncio.create_task(self.supervisor.run(ports))  # first: the kernel keeps little for a line
        await asyncio.wait([asyncio.ensure_future(self.utc.look())], timeout=PATIENCE_S)
        await self._begin()
        bell = self.world.bell(partial(self.supervisor.once, "discovery", self._look)) if self._searches else None
        organs = {
            "data path": self._beat,
            "uplink": self.uplink.run,
            "status": self._show,
            "command": self.obeying.run,
            "patient": self.associating.run,
            **self.trust.works(),
            **self.cap.works(),
        }
        organs["time"] = partial(self.utc.run, self.keeping.on_thread)
        organs["number"] = partial(self.numbering.run, stop)
        if any(chain.unread_files for chain in self.keeping.spool.stat().classes.values()):
            organs["unread files"] = partial(self._look_again, stop)
        working = asyncio.create_task(self.supervisor.run(organs))
        try:
            await stop.wait()
        finally:
            notify.stopping()
            await _end(listening)
            if bell is not None:
                bell.close()
            if self.discovery is not None:
                await self.discovery.close()
            if self.radio is not None:
                await self.radio.close()
            await self._beat_once(last=True)
            await self.uplink.close()
            await _end(working)
            await self.utc.save(self.keeping.on_thread)
            await self.obeying.end()
            await self.relaying.close()
            await self.keeping.close()
            self.tapes.close()
            log.info("gateway ends epoch=%d", self.epoch)

    async def _begin(self) -> None:
        """The first grant, and what this epoch knows of earlier ones, durable before anything else."""
        self._owe(self.keeping.spool.undeclared())
        recovered = await self.keeping.on_thread(partial(last_minutes, self.keeping.spool, self.address.gateway))
        for header, data in self.pulse.ended(self.keeping.ends(), recovered):
            self.keeping.append(header, data)
        await self._beat_once()
        self.world.settle()
        self.world.ready("started")

    async def _beat(self) -> None:
        """The data path, for ever; the watchdog is fed by its progress and by nothing else."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.obeying.interval_s):
                    await self._hurry.wait()
            self._hurry.clear()
            await self._beat_once()
            if self._searches:
                self.supervisor.once("discovery", self._look)
            self.supervisor.once("radio", self._look_by_radio)
            await self.keeping.make_spare()
            self.world.progress(f"epoch {self.epoch}")

    async def _beat_once(self, last: bool = False) -> None:
        """One beat at a time, and none after the last."""
        async with self._beating:
            if not self._is_over:
                self._is_over = last
                await self._close_interval(last)

    async def _close_interval(self, last: bool) -> None:
        """Close, seal, make durable, hand over. A slow or failing disk does not hold up what is live."""
        now = self.world.now()
        pieces = self.tapes.turn(now)
        envelopes = self.pulse.beat(now, last)
        headers = [header for header, _ in envelopes]
        self.tapes.sealed(pieces, headers)
        marks = self.radio.marks.sealed(headers) if self.radio else None
        keeping = asyncio.ensure_future(self._keep(envelopes, marks, now))
        await asyncio.wait([keeping], timeout=PATIENCE_S)
        for header, data in envelopes:
            self.uplink.offer(header, data)
        kept = await keeping
        if kept.durable:
            self.tapes.durable()
            self.associating.durable()
            if self.radio is not None:
                self.radio.marks.durable()
        else:
            self.tapes.not_durable()
        self._owe(kept.owed)

    async def _keep(self, envelopes: list[Envelope], marks: bytes | None, now: int) -> Kept:
        """Marks first: they count once these envelopes are durable, and not before."""
        if marks is not None and self.radio is not None:
            await self.keeping.on_thread(partial(self.radio.marks.write, marks))
        return await self.keeping.keep(envelopes, self._owed, now)

    async def _look_again(self, stop: asyncio.Event) -> None:
        """What the disk refused when the spool was opened is part of it again at another start: end for that."""
        while not stop.is_set():
            await asyncio.sleep(LOOK_AGAIN_S)
            if await self.keeping.readable_again():
                log.warning("gateway ends, to be started again: the disk gives what it refused")
                stop.set()
        await asyncio.Event().wait()

    def _linked(self, state: LinkState) -> None:
        self.obeying.link(state)
        self.trust.link(state)

    def _meet(self) -> None:
        """The broker is reached: say at once who everybody is, and how they are."""
        self.pulse.introduce()
        self._hurry.set()

    def _owe(self, losses: list[Lost]) -> None:
        """The next beat declares these; they are owed until that beat is durable."""
        self._owed = losses
        for lost in losses:
            self.pulse.lost(self.world.now() // 1000, lost.epoch, lost.cls, [(lost.first, lost.last)], lost.cause)

    async def _show(self) -> None:
        """Write status and metrics where the CLI and the node exporter look."""
        runtime = Path(self.config.runtime)
        while True:
            spool = await self.keeping.stat()
            rooms = self._rooms.look(self.world.now(), volumes(spool), self.world.room(Path(self.config.state)))
            self.pulse.room = [(cls, spool.classes[cls].unheld_frames, left) for cls, left in rooms.items()]
            now = picture(self, spool, rooms, await self.relaying.look())
            notify.replace(runtime / status.STATUS_FILE, status.pack(now))
            notify.replace(runtime / status.METRICS_FILE, metrics.text(now).encode())
            await asyncio.sleep(PICTURE_S)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def run(config: Config, world: World) -> None:
    """Run until SIGTERM or SIGINT."""
    memory.begin()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await Gateway(config, world).run(stop)
