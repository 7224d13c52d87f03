"""When readings from a device's memory were taken, as far as its clock proves it (REQUIREMENTS TIM-09)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from centre import rows
from centre.boots import mapping_of
from centre.device_clock import DeviceClock, Pair, moment
from centre.mapping import Mapping, Moment


class Known(Protocol):
    """What the store knows of devices' clocks."""

    def streams(self, gateway: str, epoch: int | None = None) -> list[rows.Stream]: ...

    def pairs(self, gateway: str, epoch: int, session: int) -> list[rows.Paired]: ...

    def datings(self, gateway: str, epoch: int) -> list[rows.Dating]: ...


class Clocks:
    """Clocks of the devices of one gateway's epoch, read from the store where a reading needs them."""

    def __init__(self, store: Known, gateway: str, epoch: int, mapping: Mapping) -> None:
        self._store, self._gateway, self._epoch = store, gateway, epoch
        self._mappings = {epoch: mapping}
        self._clocks: dict[tuple[int, bool], DeviceClock] = {}
        self._sessions: dict[int, int] | None = None

    def times(self, found: Sequence[rows.Reading]) -> list[Moment | None]:
        """UTC of each that says when it was taken; the others were not in a memory. `found` in the order they came."""
        later: dict[tuple[int, bool], int] = {}
        out: list[Moment | None] = []
        for reading in reversed(found):
            said = None if reading.taken is None else moment(reading.taken)
            if reading.taken is None or said is None:
                out.append(None)
                continue
            key = self._session(reading.stream), reading.taken.iso == ""
            came = self._mapping(reading.epoch).at(reading.t).latest
            out.append(None if came is None else self._clock(*key).when(*said, came, later.get(key)))
            later[key] = min(said[0], later.get(key, said[0]))
        return out[::-1]

    def _session(self, stream: int) -> int:
        if self._sessions is None:
            self._sessions = {one.stream: one.session for one in self._store.streams(self._gateway, self._epoch)}
        return self._sessions.get(stream, -1)

    def _clock(self, session: int, counts: bool) -> DeviceClock:
        key = session, counts
        if key not in self._clocks:
            paired = self._store.pairs(self._gateway, self._epoch, session)
            self._clocks[key] = DeviceClock(one for p in paired if (one := self._pair(p, counts)) is not None)
        return self._clocks[key]

    def _pair(self, paired: rows.Paired, counts: bool) -> Pair | None:
        said, at = moment(paired.said), self._mapping(paired.epoch).at(paired.t)
        if said is None or (paired.said.iso == "") != counts or at.utc is None:
            return None
        assert at.earliest is not None
        assert at.latest is not None
        return Pair(at.earliest, at.latest, *said)

    def _mapping(self, epoch: int) -> Mapping:
        if epoch not in self._mappings:
            self._mappings[epoch] = mapping_of(epoch, self._store.datings(self._gateway, epoch))
        return self._mappings[epoch]
