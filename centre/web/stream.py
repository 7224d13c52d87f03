"""The socket of one bed: what arrives, as it arrives. A slow reader loses the oldest, is counted, and is told."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import anyio
from anyio import CancelScope, to_thread
from pydantic import BaseModel
from starlette.websockets import WebSocket, WebSocketDisconnect

from centre import rows
from centre.boots import mapping_of
from centre.mapping import Mapping
from centre.store.engine import StoreError
from centre.web import models, telling
from centre.web.sources import Live, Store, Update
from wire import records

QUEUE_LIMIT_UPDATES = 64
PRESENCE_SECONDS = 2.0
_STORE_FAILED = 4503
_NO_SUCH_BED = 4404  # close codes from 4000 on are the application's own


class Feed:
    """Updates of one gateway waiting for one reader; bounded."""

    def __init__(self, gateway: str) -> None:
        self._gateway = gateway
        self._waiting: deque[Update] = deque()
        self._some = asyncio.Event()
        self.dropped_updates = 0

    def __call__(self, update: Update) -> None:
        if update.gateway != self._gateway:
            return
        if len(self._waiting) >= QUEUE_LIMIT_UPDATES:
            self._waiting.popleft()
            self.dropped_updates += 1
        self._waiting.append(update)
        self._some.set()

    async def next(self, seconds: float) -> Update | None:
        """The oldest waiting update; None where none came within `seconds`."""
        with anyio.move_on_after(seconds):
            while not self._waiting:
                self._some.clear()
                await self._some.wait()
            return self._waiting.popleft()
        return None


class Socket:
    """Serves `/api/beds/{gateway}/live`."""

    def __init__(self, store: Store, live: Live, now: Callable[[], int]) -> None:
        self._store = store
        self._live = live
        self._now = now

    async def serve(self, socket: WebSocket) -> None:
        await socket.accept()
        gateway = str(socket.path_params["gateway"])
        try:
            bed = await to_thread.run_sync(self._store.bed, gateway)
        except StoreError:
            await socket.close(_STORE_FAILED, "the store does not answer")
            return
        if bed is None:
            await socket.close(_NO_SUCH_BED, "no such bed")
            return
        feed = Feed(gateway)
        leave = self._live.subscribe(feed, gateway)
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_until_gone, socket, tasks.cancel_scope)
                await self._tell(socket, Teller(self._store, self._now, bed), feed)
                tasks.cancel_scope.cancel()
        finally:
            leave()

    async def _tell(self, socket: WebSocket, teller: Teller, feed: Feed) -> None:
        told_dropped = 0
        try:
            await socket.send_text(teller.presence().model_dump_json())
            while True:
                update = await feed.next(PRESENCE_SECONDS)
                if feed.dropped_updates > told_dropped:
                    told_dropped = feed.dropped_updates
                    await _send(socket, models.DroppedSaid(now=self._now(), updates=told_dropped))
                if update is not None:
                    await _send(socket, await to_thread.run_sync(teller.update, update))
                presence = await to_thread.run_sync(teller.news)
                if presence is not None:
                    await _send(socket, presence)
        except WebSocketDisconnect:
            return
        except StoreError:
            await socket.close(_STORE_FAILED, "the store does not answer")


class Teller:
    """Turns updates of one bed into what the socket says; keeps the mapping of the epoch it met last."""

    def __init__(self, store: Store, now: Callable[[], int], bed: rows.Bed) -> None:
        self._store = store
        self._now = now
        self._bed = bed
        self._asked = now()
        self._mapping: tuple[int, Mapping] | None = None

    def presence(self) -> models.PresenceSaid:
        return models.PresenceSaid(now=self._now(), bed=telling.bed(self._bed))

    def news(self) -> models.PresenceSaid | None:
        """Presence, if it is time to look again."""
        now = self._now()
        if 0 <= now - self._asked < PRESENCE_SECONDS * 1_000_000:
            return None
        self._asked = now
        self._bed = self._store.bed(self._bed.gateway) or self._bed
        return self.presence()

    def update(self, update: Update) -> models.UpdateSaid:
        mapping = self._dated(update)
        said = [telling.notice_of(record, update.epoch) for record in update.records]
        numerics = [telling.reading_of(r, update.epoch) for r in update.records if isinstance(r, records.NumericAt)]
        return models.UpdateSaid(
            now=self._now(),
            mapping=mapping.version,
            live=update.live,
            catalogue=any(isinstance(r, records.Catalogue) for r in update.records),
            waves=[telling.wave(samples, mapping) for samples in update.samples],
            numerics=[telling.reading(reading, mapping) for reading in numerics],
            notices=[telling.notice(notice, mapping) for notice in said if notice is not None],
            holes=[telling.hole(r) for r in update.records if isinstance(r, records.StreamGap)],
        )

    def _dated(self, update: Update) -> Mapping:
        """The mapping of its epoch, made anew where it brings news of time: what is told is in the store already."""
        is_news = any(isinstance(record, records.Anchor | records.Boot) for record in update.records)
        if self._mapping is None or self._mapping[0] != update.epoch or is_news:
            made = mapping_of(update.epoch, self._store.datings(update.gateway, update.epoch))
            self._mapping = update.epoch, made
        return self._mapping[1]


async def _send(socket: WebSocket, said: BaseModel) -> None:
    await socket.send_text(said.model_dump_json())


async def _until_gone(socket: WebSocket, scope: CancelScope) -> None:
    """Reads on until the other side has left; what it says means nothing here."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        continue
    scope.cancel()
