"""The centre's composition root: store, ingest, broker and pages in one process, until it is told to end."""

from __future__ import annotations

import importlib.util
import logging
import signal
import threading
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from centre.config import Config, Keys, load_keys
from centre.counts import Counts
from centre.drafting import Drafting
from centre.fleet.roll import Roll
from centre.fleet.store import FleetError
from centre.gate import Gate, gate_of, sites_of
from centre.ingest import Ingest
from centre.intake import Intake
from centre.keeping import Keeping
from centre.live import Live
from centre.sharing import SharedIntake
from centre.store import Store
from centre.store.shared import SharedStore
from centre.subscriber import Subscriber
from centre.timeport import TimePort
from centre.timing import Timing
from centre.watching import Watching
from config.load import ConfigError
from wire.topics import Address

if TYPE_CHECKING:
    import uvicorn

PAGE_END_LIMIT_S = 5
_LOG = logging.getLogger("wardlink.centre")


def run(config: Config, stop: threading.Event | None = None) -> int:
    """Run until `stop`, SIGTERM or SIGINT (0), or until a part of it dies (1). Raises ConfigError, StoreError."""
    ending = stop or threading.Event()
    if threading.current_thread() is threading.main_thread():
        _end_on_signals(ending)
    own = load_keys(config)
    counts = Counts()
    store = SharedStore(config.store, counts) if config.share else Store(config.store, counts)
    try:
        return _serve(config, own, store, counts, ending)
    finally:
        store.close()


def _serve(config: Config, own: Keys, store: Store, counts: Counts, ending: threading.Event) -> int:
    timing = Timing(own.signer, counts)
    subscriber = Subscriber(config, counts, timing)
    port = _time_port(config, timing, counts)
    store.enrol((Address(gateway.site, gateway.id), gateway.bed) for gateway in config.gateways)
    store.all_offline()
    live = Live(counts)
    gate = gate_of(config, store.gateways())
    ingest = Ingest(store, gate, own.recipients, counts)
    ingest.listeners.append(live.tell)
    intake = _intake(store, ingest, subscriber, own, counts)
    roll = _roll(config, gate, store) if config.fleet else None
    if roll is not None:
        intake.before_batch = roll.look
    intake.on_failure = ending.set
    watching = _watching(store, subscriber, own, live, counts)
    page = _Page(config, own, store, live, ending)
    drafting = Drafting(store, counts)
    timing.start()
    intake.start()
    drafting.start()
    keeping = Keeping(config.keep, store.engine, own.signer, counts)
    keeping.start()
    subscriber.start()
    page.start()
    if watching is not None:
        watching.start()
    ending.wait()
    page.stop()
    drafting.stop()
    keeping.stop()
    if watching is not None:
        watching.stop()
    intake.stop()
    subscriber.stop()
    if roll is not None:
        roll.close()
    timing.stop()
    if port is not None:
        port.stop()
    return 1 if intake.failed or page.failed else 0


def _intake(store: Store, ingest: Ingest, subscriber: Subscriber, own: Keys, counts: Counts) -> Intake:
    if isinstance(store, SharedStore):
        return SharedIntake(store, ingest, subscriber, own.signer, counts)
    return Intake(store, ingest, subscriber, own.signer, counts)


def _watching(store: Store, subscriber: Subscriber, own: Keys, live: Live, counts: Counts) -> Watching | None:
    """What shows gateways that others have; none where there are no others."""
    if not isinstance(store, SharedStore):
        return None
    watching = Watching(store, subscriber, own.recipients, live.tell, counts)
    live.on_look = watching.look
    return watching


def _time_port(config: Config, timing: Timing, counts: Counts) -> TimePort | None:
    """Open for gateways that do not know the date; none where it is not configured. Raises ConfigError."""
    if not config.time:
        return None
    port = TimePort(config.time_address, timing, counts)
    try:
        port.start()
    except OSError as error:
        raise ConfigError(f"`time` is {config.time!r}: {error.strerror}", "is the address free, and ours?") from error
    return port


def _roll(config: Config, gate: Gate, store: Store) -> Roll:
    try:
        return Roll(Path(config.fleet), sites_of(config), gate, store.enrol)
    except FleetError as error:
        raise ConfigError(str(error), error.hint) from error


def _end_on_signals(ending: threading.Event) -> None:
    def end(_number: int, _frame: FrameType | None) -> None:
        ending.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)


class _Page:
    """The web server in a thread with an asyncio loop of its own; nothing where its libraries are not installed."""

    def __init__(self, config: Config, own: Keys, store: Store, live: Live, ending: threading.Event) -> None:
        self._ending = ending
        self._server = _server(config, own, store, live)
        self._thread = threading.Thread(target=self._run, name="page")
        self.failed = False

    def start(self) -> None:
        if self._server is not None:
            self._thread.start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.should_exit = True
            self._thread.join()

    def _run(self) -> None:
        assert self._server is not None
        try:
            self._server.run()
        finally:
            if not self._ending.is_set():  # uvicorn leaves by itself where the address is taken
                self.failed = True
                _LOG.error("the page cannot be served; is `listen` free?")
                self._ending.set()


def _server(config: Config, own: Keys, store: Store, live: Live) -> uvicorn.Server | None:
    if not config.listen:
        return None
    if any(importlib.util.find_spec(name) is None for name in ("uvicorn", "fastapi")):
        _LOG.warning("no page: install wardlink[centre]")
        return None
    import uvicorn  # noqa: PLC0415

    from centre.web.access import make_access  # noqa: PLC0415
    from centre.web.app import LOCAL_HOSTS, make_app  # noqa: PLC0415

    host, port = config.listen_address
    app = make_app(store, live, (*LOCAL_HOSTS, host, *config.hosts), access=make_access(config, own.signer, store))
    settings = uvicorn.Config(
        app, host=host, port=port, log_config=None, access_log=False, timeout_graceful_shutdown=PAGE_END_LIMIT_S
    )
    return uvicorn.Server(settings)
