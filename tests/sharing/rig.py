"""A mosquitto, a PostgreSQL, and consumers that share: as threads of this process, or as processes to be killed."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import create_engine, func, select

from centre.config import Config, Gateway, load_keys
from centre.counts import Counts
from centre.gate import gate_of
from centre.ingest import Ingest
from centre.live import Update
from centre.sharing import SharedIntake
from centre.store import schema
from centre.store.handing import HANDED
from centre.store.shared import SharedStore
from centre.subscriber import Subscriber
from centre.watching import Watching
from tests.sealed import CENTRE
from tests.sharing.gateways import SAMPLES, Gateways
from tests.system.centre_rig import SIGNER, until
from wire import keys
from wire.topics import Address, Class

ORDER_LIMIT_S = 30.0  # on a machine that stands still for seconds order is still to be seen


def configured(folder: Path, port: int, url: str, gateways: Gateways, name: str) -> Config:
    if not (folder / "centre.key").exists():  # others may be reading them
        (folder / "recipient.key").write_text(CENTRE.text())
        (folder / "centre.key").write_text(keys.signer_text(SIGNER))
    return Config(
        broker=f"mqtt://127.0.0.1:{port}",
        keys=str(folder),
        name=name,
        share="ward",
        store=url,
        listen="",
        gateways=tuple(Gateway(bed.gateway, "north") for bed in gateways.beds),
    )


class Consumer:
    """In this process; `told` is the list of all consumers, in the order they told."""

    def __init__(self, config: Config, told: list[Update]) -> None:
        self.counts = Counts()
        self.store = SharedStore(config.store, self.counts)
        self.store.enrol((Address(one.site, one.id), "") for one in config.gateways)
        own = load_keys(config)
        self._subscriber = Subscriber(config, self.counts)
        ingest = Ingest(self.store, gate_of(config, ()), own.recipients, self.counts)
        ingest.listeners.append(told.append)
        self.shown: list[Update] = []
        self.watching = Watching(self.store, self._subscriber, own.recipients, self.shown.append, self.counts)
        self.watching.start()
        self.intake = SharedIntake(self.store, ingest, self._subscriber, own.signer, self.counts, ORDER_LIMIT_S)
        self.intake.start()
        self._subscriber.start()

    def stop(self) -> None:
        self.watching.stop()
        self.intake.stop()
        self._subscriber.stop()
        self.store.close()


class Verdict:
    """What the database has, against what was sealed."""

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)

    def close(self) -> None:
        self._engine.dispose()

    def waiting(self) -> int:
        with self._engine.connect() as connection:
            handed = connection.execute(select(func.count()).select_from(HANDED)).scalar_one()
            return handed + connection.execute(select(func.count()).select_from(schema.PARKED)).scalar_one()

    def wrong(self, gateways: Gateways) -> list[str]:
        """What is missing, and what is there twice or more; nothing where all is well."""
        out: list[str] = []
        with self._engine.connect() as connection:
            numbers = {row.gateway: row.gw for row in connection.execute(select(schema.GATEWAY))}
            for (gateway, cls), sealed in gateways.sealed.items():
                e = schema.ENVELOPE.c
                here = select(e.seq).where(e.gw == numbers[gateway], e.cls == cls).order_by(e.seq)
                if list(connection.execute(here).scalars()) != list(range(sealed)):
                    out.append(f"{gateway} {Class(cls).word}: not all of {sealed}")
            for bed in gateways.beds:
                n, b = schema.NUMERIC.c, schema.BLOCK.c
                times = list(
                    connection.execute(select(n.t).where(n.gw == numbers[bed.gateway]).order_by(n.t)).scalars()
                )
                firsts = select(b.first).where(b.gw == numbers[bed.gateway]).order_by(b.first)
                if times != [1_000_000 * (beat + 2) for beat in range(bed.beats)]:
                    out.append(f"{bed.gateway}: {len(times)} readings of {bed.beats}")
                if list(connection.execute(firsts).scalars()) != [SAMPLES * beat for beat in range(bed.beats)]:
                    out.append(f"{bed.gateway}: blocks are not each there once")
        return out


def settled(consumers: list[Consumer]) -> None:
    """Every slot has its consumer, and each a fair share."""
    fair = -(-256 // len(consumers))
    until(
        lambda: (
            sum(len(one.store.slots) for one in consumers) == 256
            and all(0 < len(one.store.slots) <= fair for one in consumers)
        )
    )
