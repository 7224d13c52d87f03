"""The ports that the configuration names: for each a hearing, a tape, and what keeps it open.

Ports on the network are loaded only where there is one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from agent.config import Port
from agent.lines import is_keyboard, is_network, line_of, opener_of, place_of
from agent.ports.serial_port import KeptPort, Rounds, SerialPort
from agent.ports.tape import TAPES, Sealed, Tape
from agent.sessions.hearing import Hearing
from agent.sessions.ward import Ward
from agent.tapes import Tapes
from agent.world import World
from drivers.contract import Driver

if TYPE_CHECKING:
    from agent.ports.doors import Doors

KEYS_GATHER_S = 0.0  # the kernel keeps 64 events of a keyboard, and a scan has more
Once = Callable[[str, Callable[[], object]], None]  # does what may fail and keeps the failure


class Listening:
    """Builds them. `hurry` is called when an alarm was heard."""

    def __init__(
        self, ward: Ward, tapes: Tapes, world: World, runtime: Path, hurry: Callable[[], None], rounds: Rounds
    ) -> None:
        self._ward = ward
        self._tapes = tapes
        self._world = world
        self._runtime = runtime
        self._hurry = hurry
        self._rounds = rounds
        self._doors: Doors | None = None

    def port(self, port: Port, durable: Callable[[Sealed], bool], once: Once) -> tuple[KeptPort, Hearing]:
        """Not running yet; what an earlier process had read there and not made durable is heard again."""
        kind = self._world.driver(port.driver)
        hearing = Hearing(self._ward, partial(kind, port.options), port.path, self._hurry)
        tape = Tape(self._runtime / TAPES, port.path)
        for now, data in tape.left(durable):
            once(f"port {port.path}", partial(hearing.resume, data, now, tape.is_safe))
        self._tapes.add(tape, hearing)
        if is_network(port):
            return self._distant(kind, port, hearing, tape), hearing
        line, opener = line_of(kind, port), opener_of(port, self._world.open_line)
        rounds = Rounds(KEYS_GATHER_S) if is_keyboard(port) else self._rounds
        return SerialPort(port.path, line, hearing, self._world.now, tape, rounds, opener), hearing

    def _distant(self, kind: type[Driver], port: Port, hearing: Hearing, tape: Tape) -> KeptPort:
        place, now, rounds = place_of(kind, port), self._world.now, self._rounds
        if place.scheme == "udp":
            from agent.ports.udp_port import UdpPort  # noqa: PLC0415  most beds never need it

            return UdpPort(place, port.path, hearing, now, tape, rounds)
        from agent.ports.doors import Doors  # noqa: PLC0415
        from agent.ports.tcp_port import TcpPort  # noqa: PLC0415

        self._doors = self._doors or Doors()
        return TcpPort(place, port.path, hearing, now, tape, rounds, self._doors)
