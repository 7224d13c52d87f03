"""A dead gateway for tests: its spool with genuine envelopes, and the file that is exported of it."""

from __future__ import annotations

from pathlib import Path

from agent.cli import entry
from agent.importing import Host, Taken, take
from agent.spool import Spool, Stored
from tests.sealed import Bedside, block, reading
from wire.envelope import header_of
from wire.topics import Address, Class

MIB = 1 << 20
QUOTAS = dict.fromkeys((0, 1, 2), 8 * MIB)
OWN = Bedside("relayer").address


def fill(folder: Path, bedside: Bedside, readings: int = 5, waves: int = 3, bulky: int = 0) -> list[bytes]:
    """One start of the gateway; all that it sealed, none of it held."""
    made = [bedside.grant(), *(bedside.vital(reading(n)) for n in range(readings))]
    made += [bedside.wave(block(250 * n)) for n in range(waves)]
    made += [bedside.plain(Class.WAVE, bytes(200_000)) for _ in range(bulky)]
    made.append(bedside.manifest())
    spool = Spool.open(folder, QUOTAS, entropy=bedside.start)
    for data in (arrival.data for arrival in made):
        header = header_of(data)
        assert header.epoch == spool.epoch
        spool.append(Stored(int(header.cls), header.epoch, header.hour, header.seq, data))
    spool.commit()
    spool.close()
    return [arrival.data for arrival in made]


def settle(folder: Path, cls: int, epoch: int, first: int, last: int) -> None:
    """The centre has confirmed these."""
    spool = Spool.open(folder, QUOTAS)
    spool.held(cls, epoch, [(first, last)])
    spool.close()


def exported(folder: Path, file: Path, *more: str) -> Path:
    words = ["spool", "export", "--folder", str(folder), "--site", "north", *more, str(file)]
    assert entry.main(words) == 0
    return file


def imported_at(state: Path, file: Path, address: Address = OWN, *, partial: bool = False) -> Taken:
    return take(file, Host(address, state, 0), partial=partial)
