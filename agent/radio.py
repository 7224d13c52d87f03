"""Devices by radio: who is configured or bonded is heard, as a device on a port is; nobody else is ever connected.

Who was bonded here stands in the state folder. What a killed process had read is on the tapes, and is heard again by
the same driver.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from agent import durable, window
from agent.config import Config
from agent.ears import RESTARTED, Ear
from agent.health.status import RadioStatus
from agent.marks import Marks, Sealed
from agent.ports.radio.host import Host
from agent.ports.radio.policy import Known
from agent.ports.tape import TAPES, Tape
from agent.sessions.ward import Ward
from agent.tapes import Tapes
from agent.window import ADOPTED_FILE
from agent.wireless import status_of
from agent.world import World
from drivers import registry

OPEN_LIMIT_NS = int(window.OPEN_LIMIT_S * 1e9)
Once = Callable[[str, Callable[[], object]], None]
log = logging.getLogger("wardlink.radio")


class Adopted(msgspec.Struct, frozen=True):
    """A device that a person had bonded here."""

    driver: str
    name: str = ""


class Radio:
    """`hurry` is called when an alarm was heard; `once` does what may fail and keeps the failure."""

    def __init__(
        self,
        config: Config,
        world: World,
        ward: Ward,
        tapes: Tapes,
        marks: Marks,
        hurry: Callable[[], None],
        once: Once,
    ) -> None:
        self.marks = marks
        self.host: Host | None = None
        self._config = config
        self._state, self._runtime = Path(config.state), Path(config.runtime)
        self._world = world
        self._ward = ward
        self._tapes = tapes
        self._hurry = hurry
        self._once = once
        self._ears: dict[tuple[str, str], Ear] = {}
        self._adopted = self._read_adopted()
        self._air = world.air()  # loaded now, not in the middle of a beat
        self._task: asyncio.Task[None] | None = None
        self._window = window.Window()

    def known(self) -> list[Known]:
        """Who may be connected: a bond that was made here must hold, also where the configuration names the device."""
        named = {
            one.address: Known(one.address, one.driver, True, one.address in self._adopted, one.passkey)
            for one in self._config.radio
        }
        unknown = {one.driver for one in self._adopted.values()} - set(registry.ids())
        if unknown:
            log.warning("bonded devices have drivers that are not here drivers=%s", sorted(unknown))
        adopted = {
            address: Known(address, one.driver, False, True, name=one.name)
            for address, one in self._adopted.items()
            if one.driver in registry.ids()
        }
        return list({**adopted, **named}.values())

    def resume(self, was_durable: Callable[[Sealed], bool]) -> None:
        """Hear again what an earlier process had read and not made durable."""
        for known in self.known():
            self._meet(known, was_durable)

    def _meet(self, known: Known, was_durable: Callable[[Sealed], bool] = lambda sealed: True) -> Ear:
        """The ear of a device; where nobody knows it yet, nothing on its tape is anybody's."""
        ear = self._ears.get((known.address, known.driver))
        if ear is not None:
            return ear
        key = f"{known.driver} {known.address}"
        options = next((one.options for one in self._config.radio if one.address == known.address), {})
        make, tape = partial(self._world.driver(known.driver), options), Tape(self._runtime / TAPES, f"ble {key}")
        ear = Ear(self._ward, make, f"ble {known.address}", tape, self.marks.reach(key), self._hurry)
        for now, chunk in tape.left(was_durable):
            self._once(f"radio {known.address}", partial(ear.resume, chunk, now))
        ear.closed(self._world.now(), RESTARTED)
        self._tapes.add(tape, ear)
        self._ears[known.address, known.driver] = ear
        return ear

    def look(self) -> None:
        """Begin, and heed the window. Once a second is enough."""
        if self.host is None:
            kinds = registry.all_drivers()
            self.host = Host(self._air, self._world.now, kinds, self._meet, self._adopt, self._fail)
            for known in self.known():
                self.host.add(known)
        if self._task is None or self._task.done():
            if self._task is not None:
                self._once("radio", self._task.result)
            self._task = asyncio.create_task(self.host.run(), name="radio")
        self.host.look()
        self._heed(self.host)

    def _heed(self, host: Host) -> None:
        """Open the window when a person has, for ten minutes at most; say how it ended."""
        asked, now = window.read(self._runtime), self._world.now()
        if asked.forget:
            self._forget(host, asked.forget)
            return
        if asked.until_ns and asked != self._window:
            host.open_window(min(asked.until_ns, now + OPEN_LIMIT_NS))
            self._window = asked
        if asked.until_ns and not host.is_window_open:
            said = host.window_words or "nobody was bonded"
            window.write(self._runtime, window.Window(0, said))

    def _fail(self, name: str, error: BaseException) -> None:
        def again() -> None:
            raise error

        self._once(name, again)

    def _forget(self, host: Host, address: str) -> None:
        """A device that goes elsewhere must not be heard here: it would speak of another patient."""
        said = f"{address} is forgotten" if address in self._adopted else f"{address} was not bonded here"
        if self._adopted.pop(address, None) is not None:
            host.forget(address)
            self._keep_adopted()
            for known in self.known():
                if known.address == address:
                    host.add(known)  # the configuration names it all the same
        window.write(self._runtime, window.Window(0, said))

    def _adopt(self, known: Known) -> None:
        """Who was bonded is remembered before anything it says is durable."""
        self._adopted[known.address] = Adopted(known.driver, known.name)
        self._keep_adopted()

    def _keep_adopted(self) -> None:
        data = msgspec.json.encode(self._adopted)
        self._once("radio", partial(durable.replace, self._world.files(), self._state / ADOPTED_FILE, data))

    def _read_adopted(self) -> dict[str, Adopted]:
        """A file that cannot be read makes strangers of all: nobody is connected whom nobody is known to have meant."""
        try:
            data = durable.read(self._world.files(), self._state / ADOPTED_FILE)
            return msgspec.json.decode(data, type=dict[str, Adopted]) if data else {}
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("bonded devices cannot be read why=%r", str(error))
            return {}

    async def close(self) -> None:
        """End all that is being heard."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def picture(self, now: int) -> RadioStatus | None:
        """For status; None before the first look."""
        return status_of(self.host, self._ears, now) if self.host else None
