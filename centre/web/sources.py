"""Where pages and interfaces read from: a store of rows, and what arrives now. Both are given to `make_app`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from centre import rows
from centre.pace import Row
from wire import records


class Store(Protocol):
    """The read side of the centre's store, called from worker threads. Raises StoreError where the database fails.

    `epoch` None is the newest with a catalogue. `since_t` None is the newest: of each stream for readings, the newest
    `limit_rows` for notices.
    """

    def beds(self) -> list[rows.Bed]: ...

    def bed(self, gateway: str) -> rows.Bed | None: ...

    def streams(self, gateway: str, epoch: int | None = None) -> list[rows.Stream]: ...

    def samples(
        self, gateway: str, epoch: int, stream: int, first: int, last: int, limit_samples: int
    ) -> list[rows.Samples]: ...

    def arrivals(self, gateway: str, epoch: int, stream: int, span_us: int) -> list[Row]: ...

    def last_index(self, gateway: str, epoch: int, stream: int) -> int | None: ...

    def readings(self, gateway: str, epoch: int, since_t: int | None, limit_rows: int) -> list[rows.Reading]: ...

    def pairs(self, gateway: str, epoch: int, session: int) -> list[rows.Paired]: ...

    def notices(self, gateway: str, epoch: int, since_t: int | None, limit_rows: int) -> list[rows.Notice]: ...

    def gaps(self, gateway: str, epoch: int) -> list[rows.Gap]: ...

    def associations(self, gateway: str) -> list[rows.Association]: ...

    def datings(self, gateway: str, epoch: int) -> list[rows.Dating]: ...

    def epochs(self, gateway: str) -> list[int]: ...


@runtime_checkable
class Counted(Protocol):
    """A store that also counts: what /metrics shows. Names are [a-z_]+, values never fall; `standing` has labels."""

    def counters(self) -> Mapping[str, int]: ...

    def standing(self) -> Mapping[str, float]: ...


class Update(Protocol):
    """What one envelope of a gateway said. `live` is False for what comes late, from a spool."""

    @property
    def gateway(self) -> str: ...

    @property
    def epoch(self) -> int: ...

    @property
    def records(self) -> Sequence[records.Record]: ...

    @property
    def samples(self) -> Sequence[rows.Samples]: ...

    @property
    def live(self) -> bool: ...


class Live(Protocol):
    """Updates as they arrive. `callback` is called in the asyncio loop and must return at once; `gateway`: whose."""

    def subscribe(self, callback: Callable[[Update], None], gateway: str = "") -> Callable[[], None]: ...
