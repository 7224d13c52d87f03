"""wardlink's spool and uplink as its gateway joins them, without ports: `drive_ours.py FOLDER BROKER_PORT [LIMITS]`.

Numbers come on stdin. Each tenth of a second they are bundled, sealed, made durable and handed to the uplink, live, as
`agent/gateway.py` does each second. `+N EPOCH CLASS SEQ` says that the envelope with record N is durable. LIMITS (bytes
of a segment, bytes of a class) are for the torture that needs a small queue. Centre's receipts count, not PUBACKs.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sys
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from agent import clock, identity  # noqa: E402
from agent.keeping import Keeping  # noqa: E402
from agent.spool import Limits, Lost  # noqa: E402
from agent.spool.spool import Spool  # noqa: E402
from agent.spool.terms import SpoolError  # noqa: E402
from agent.supervisor import Supervisor  # noqa: E402
from agent.uplink.link import Broker  # noqa: E402
from agent.uplink.uplink import Origin, Seams, Uplink  # noqa: E402
from agent.world import spool_thread  # noqa: E402
from bench.torture.record import PAD  # noqa: E402
from wire.bundle import pack_vital  # noqa: E402
from wire.envelope import Header  # noqa: E402
from wire.records import EnvelopeGap, Record, StatusAt  # noqa: E402
from wire.seal import Sealer  # noqa: E402
from wire.topics import Address, Class  # noqa: E402

SITE = "torture"
BEAT_S = 0.1
PATIENCE_S = 0.25
QUOTA_BYTES = 64 << 20


class Driven:
    def __init__(self, folder: Path, port: int, small: tuple[int, int] | None) -> None:
        who = identity.load(folder.parent / "keys" / "gateway", receipts=True)
        quota = small[1] if small else QUOTA_BYTES
        limits = Limits(segment_bytes=small[0]) if small else None
        quotas = dict.fromkeys(map(int, Class), quota)
        opened = partial(Spool.open, folder / "spool", quotas, limits=limits)
        self.keeping = Keeping(spool_thread(), opened)
        spool = self.keeping.spool
        self.sealer = Sealer(who.signer, who.recipients, spool.epoch, spool.nonce)
        self.uplink = Uplink(
            Origin(Address(SITE, who.gateway), spool.epoch, spool.nonce),
            Broker("127.0.0.1", port, None),
            who.centres,
            self.keeping,
            Seams(lambda state: None, lambda: None, clock.now, random.uniform),
        )
        self.waiting: list[int] = []
        self.owed: list[Lost] = spool.undeclared()
        self.unconfirmed: list[tuple[int, Header]] = []

    async def begin(self) -> None:
        tails = self.keeping.ends()
        envelopes = [self.sealer.begin_hour()] + ([self.sealer.ended(tails)] if tails else [])
        owed, self.owed = self.owed, []
        await self.keep(envelopes)
        self.owed = owed

    async def keep(self, envelopes: list[tuple[Header, bytes]]) -> None:
        told = self.owed
        keeping = asyncio.ensure_future(self.keeping.keep(envelopes, told, clock.now()))
        await asyncio.wait([keeping], timeout=PATIENCE_S)
        for header, data in envelopes:
            self.uplink.offer(header, data)
        kept = await keeping
        self.owed = kept.owed
        if kept.durable:
            for number, header in self.unconfirmed:
                print(f"+{number} {header.epoch} {int(header.cls)} {header.seq}", flush=True)
            self.unconfirmed.clear()

    async def beat(self) -> None:
        numbers, self.waiting = self.waiting, []
        t = clock.now() // 1000
        records: list[Record] = [StatusAt(t, 0, str(number), "on", PAD) for number in numbers]
        records += [EnvelopeGap(t, lost.epoch, lost.cls, lost.first, lost.last, lost.cause) for lost in self.owed]
        envelopes = []
        if records:
            header, data = self.sealer.seal(Class.VITAL, pack_vital(records))
            envelopes.append((header, data))
            self.unconfirmed += [(number, header) for number in numbers]
        if envelopes or self.unconfirmed:
            await self.keep(envelopes)
        await self.keeping.make_spare()

    async def run(self, stop: asyncio.Event) -> None:
        await self.begin()
        working = asyncio.create_task(Supervisor().run({"uplink": self.uplink.run}))
        listening = asyncio.create_task(self.listen())
        print("ready", flush=True)
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(BEAT_S):
                    await stop.wait()
            await self.beat()
        listening.cancel()
        await self.uplink.close()
        working.cancel()
        await self.keeping.close()

    async def listen(self) -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        async for line in reader:
            self.waiting.append(int(line))


async def main() -> None:
    small = (int(sys.argv[3]), int(sys.argv[4])) if len(sys.argv) > 3 else None
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await Driven(Path(sys.argv[1]), int(sys.argv[2]), small).run(stop)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except SpoolError as error:
        sys.exit(f"error: {error}\nhint: {error.hint}")
