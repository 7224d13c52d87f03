"""The composition root: the only place where the organs meet. Bytes go in at the ports, envelopes leave both ways.

ports -> sessions -> pulse (shape, code, seal) --+--> spool
                                                 +--> uplink
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
from functools import partial
from pathlib import Path

from agent import clock, identity, memory
from agent.config import MIB, Config, Port
from agent.health import metrics, notify, status
from agent.keeping import Keeping
from agent.picture import picture
from agent.ports.serial_port import GATHER_S, SerialPort
from agent.ports.tape import Tape
from agent.pulse import Pulse
from agent.sessions.hearing import Hearing
from agent.sessions.ward import Ward
from agent.spool.terms import Lost
from agent.supervisor import Supervisor
from agent.tapes import Tapes
from agent.uplink.link import Broker
from agent.uplink.tls import context
from agent.uplink.uplink import Origin, Seams, Uplink
from config.load import ConfigError
from drivers import registry
from drivers.contract import Driver, Serial
from wire import codec
from wire.seal import Sealer
from wire.topics import Address, Class

PICTURE_S = 5.0
LATE_US = int(GATHER_S * 1_000_000)
PATIENCE_S = 0.25  # how long live waits for the disk: a live envelope that is durable is never sent twice
ENDED_EPOCHS_LIMIT = 16
log = logging.getLogger("wardlink.gateway")


class Gateway:
    """One epoch of one gateway."""

    def __init__(self, config: Config) -> None:
        who = identity.load(Path(config.keys), receipts=config.confirm == "receipt")
        self.config = config
        Path(config.runtime).mkdir(parents=True, exist_ok=True)
        self.address = Address(config.site, who.gateway)
        self.supervisor = Supervisor()
        self.started = clock.now()
        self.keeping = Keeping(Path(config.state) / "spool", _quotas(config))
        spool = self.keeping.spool
        self.epoch = spool.epoch
        self.ward = Ward(lambda: codec.Encoder().encode)
        self.tapes = Tapes()
        sealer = Sealer(who.signer, who.recipients, spool.epoch, spool.nonce)
        self.pulse = Pulse(self.ward, sealer, partial(clock.anchor, LATE_US), config.bed)
        self.uplink = Uplink(
            Origin(self.address, spool.epoch),
            _broker(config),
            who.centre,
            self.keeping,
            Seams(lambda state: None, self.pulse.introduce, clock.now, random.uniform),
        )
        self._hurry = asyncio.Event()
        self._owed: list[Lost] = []
        self.ports = [self._port(port) for port in config.port]

    def _port(self, port: Port) -> tuple[SerialPort, Hearing]:
        kind = registry.driver(port.driver)
        hearing = Hearing(self.ward, partial(kind, port.options), port.path, self._hurry.set)
        tape = Tape(Path(self.config.runtime) / "tape", port.path)
        for now, data, told in tape.left(self.keeping.was_durable):
            self.supervisor.once(f"port {port.path}", partial(hearing.resume, data, now, told))
        self.tapes.add(tape, hearing)
        return SerialPort(port.path, _line(kind, port), hearing, clock.now, tape), hearing

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; what was heard by then is sealed, durable, and sent if the link allows when this returns."""
        log.info("gateway starts gateway=%s epoch=%d", self.address.gateway, self.epoch)
        ports = {f"port {port.path}": port.run for port, _ in self.ports}
        listening = asyncio.create_task(self.supervisor.run(ports))  # first: the kernel keeps little for a line
        await self._begin()
        organs = {"data path": self._beat, "uplink": self.uplink.run, "status": self._show}
        working = asyncio.create_task(self.supervisor.run(organs))
        try:
            await stop.wait()
        finally:
            notify.stopping()
            await _end(listening)
            await self._beat_once(last=True)
            await self.uplink.close()
            await _end(working)
            await self.keeping.close()
            self.tapes.close()
            log.info("gateway ends epoch=%d", self.epoch)

    async def _begin(self) -> None:
        """The first grant, and what this epoch knows of earlier ones, durable before anything else."""
        spool = self.keeping.spool
        self._owe(spool.undeclared())
        tails = sorted((epoch, cls, following) for (epoch, cls), following in spool.tails().items())
        recent = [tail for tail in tails if tail[0] >= self.epoch - ENDED_EPOCHS_LIMIT]
        for header, data in self.pulse.ended(recent):
            self.keeping.append(header, data)
        await self._beat_once()
        memory.settle()
        notify.ready("started")

    async def _beat(self) -> None:
        """The data path, for ever; the watchdog is fed by its progress and by nothing else."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.config.interval_s):
                    await self._hurry.wait()
            self._hurry.clear()
            await self._beat_once()
            await self.keeping.make_spare()
            notify.progress(f"epoch {self.epoch}")

    async def _beat_once(self, last: bool = False) -> None:
        """Close, seal, make durable, hand over. A slow or failing disk does not hold up what is live."""
        now = clock.now()
        pieces = self.tapes.turn(now)
        envelopes = self.pulse.beat(now, last)
        self.tapes.sealed(pieces, [header for header, _ in envelopes])
        keeping = asyncio.ensure_future(self.keeping.keep(envelopes, self._owed, now))
        await asyncio.wait([keeping], timeout=PATIENCE_S)
        for header, data in envelopes:
            self.uplink.offer(header, data)
        kept = await keeping
        if kept.durable:
            self.tapes.durable()
        else:
            self.tapes.not_durable()
        self._owe(kept.owed)

    def _owe(self, losses: list[Lost]) -> None:
        """The next beat declares these; they are owed until that beat is durable."""
        self._owed = losses
        for lost in losses:
            self.pulse.lost(clock.now() // 1000, lost.epoch, lost.cls, [(lost.first, lost.last)], lost.cause)

    async def _show(self) -> None:
        """Write status and metrics where the CLI and the node exporter look."""
        runtime = Path(self.config.runtime)
        while True:
            now = picture(self, await self.keeping.stat())
            notify.replace(runtime / status.STATUS_FILE, status.pack(now))
            notify.replace(runtime / status.METRICS_FILE, metrics.text(now).encode())
            await asyncio.sleep(PICTURE_S)


def _quotas(config: Config) -> dict[int, int]:
    sizes = config.spool
    return {
        int(Class.KEY): sizes.key_mib * MIB,
        int(Class.VITAL): sizes.vital_mib * MIB,
        int(Class.WAVE): sizes.wave_mib * MIB,
    }


def _broker(config: Config) -> Broker:
    keys = Path(config.keys)
    tls = context(keys / "ca.crt", keys / "gateway.crt", keys / "gateway.key") if config.broker_tls else None
    return Broker(config.broker_host, config.broker_port, tls)


def _line(kind: type[Driver], port: Port) -> Serial:
    """How to open the port: the driver's first serial claim, at the speed the engineer pinned."""
    claims = [claim for claim in kind.info.claims if isinstance(claim, Serial)]
    if not claims:
        raise ConfigError(f"port {port.path}: {kind.info.id} is not found on serial ports")
    first = next((claim for claim in claims if claim.baud == port.baud), claims[0])
    return Serial(port.baud or first.baud, first.bits, first.parity, first.stop, first.dtr, first.rts)


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def run(config: Config) -> None:
    """Run until SIGTERM or SIGINT."""
    memory.begin()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await Gateway(config).run(stop)
