"""A bed, a broker and a centre for attacks: the gateway is a process, the real centre a thread of the test's own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from agent.spool import read_folder
from centre.config import Config
from centre.config import Gateway as Enrolled
from centre.ledger import Place
from centre.run import run
from centre.store import Store
from tests.system.gateway_rig import SITE, Gateway, free_port
from wire.topics import Class

Name = tuple[int, int, int]  # class, epoch, seq


class Hospital:
    """The centre of one gateway; `port` is the broker's, in the clear."""

    def __init__(self, folder: Path, gateway: Gateway, port: int, bed: str = "") -> None:
        self.gateway = gateway
        self.listen = f"127.0.0.1:{free_port()}"
        self.config = Config(
            broker=f"mqtt://127.0.0.1:{port}",
            keys=str(gateway.ring.centre),
            store=f"sqlite:///{folder / 'centre.db'}",
            listen=self.listen,
            gateways=(Enrolled(gateway.ring.gateway_id, SITE, bed),),
        )

    @contextmanager
    def centre(self) -> Iterator[None]:
        Store(self.config.store).close()
        stop = threading.Event()
        thread = threading.Thread(target=run, args=(self.config, stop))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(20)
            assert not thread.is_alive()

    def spooled(self) -> set[Name]:
        return {(one.cls, one.epoch, one.seq) for one in read_folder(self.gateway.spool)}

    def lacks(self, names: set[Name]) -> set[Name]:
        """Those of them that the centre's store does not have."""
        store = Store(self.config.store)
        try:
            me = self.gateway.ring.gateway_id
            return {n for n in names if not store.holds(Place(me, n[1], Class(n[0])), n[2])}
        finally:
            store.close()


def confirms_by_receipt(gateway: Gateway, interval_s: float = 0.25) -> None:
    """The rig's gateway counts a PUBACK as held; here the centre's receipt decides, as in a hospital."""
    text = gateway.config.read_text().replace('confirm = "broker"', f'confirm = "receipt"\ninterval_s = {interval_s}')
    gateway.config.write_text(text)


@asynccontextmanager
async def running(gateway: Gateway) -> AsyncIterator[None]:
    """Started, its notices read as systemd reads them (it waits for who does not), and gone at the end."""
    loop = asyncio.get_running_loop()
    await gateway.start()
    loop.add_reader(gateway.notices, gateway.notified)
    try:
        yield
    finally:
        loop.remove_reader(gateway.notices)
        gateway.close()
