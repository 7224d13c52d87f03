"""The air between emulated radios, with what Bumble's own lacks and a gateway must be tried against.

1. Linux waits for LE *Enhanced* Connection Complete where a controller has extended advertising, and its queue of
   commands then stalls 20 s for each connection: `Antenna` says it in place of the plain one.
2. A cancelled connection attempt must end (status 0x02), or later ones never begin.
3. Who goes out of range is gone: both ends of each of its links drop after their supervision timeout.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

from bumble import hci
from bumble.controller import Controller
from bumble.core import PhysicalTransport
from bumble.link import LocalLink

SUPERVISION_S = 5.0
UNIT_S = 0.01  # of the supervision timeout
ENHANCED_BIT = 9  # of the LE event mask
REPORTS = (hci.HCI_LE_Advertising_Report_Event, hci.HCI_LE_Extended_Advertising_Report_Event)


class Antenna(Controller):
    """A radio. `rssi_dbm` is how loud it is for others, `loss` the part of its advertisements that nobody hears."""

    rssi_dbm = -50
    loss = 0.0
    delay_s = 0.0
    is_away = False
    _hears_dbm = -50

    def hear_advertisement(self, loud_dbm: int, packet: Any) -> None:
        self._hears_dbm = loud_dbm
        self.on_ll_advertising_pdu(packet)

    def supervision_s(self, peer: hci.Address) -> float:
        return self._timeouts.get(peer, SUPERVISION_S)

    @property
    def _timeouts(self) -> dict[hci.Address, float]:
        return self.__dict__.setdefault("_supervision", {})

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        if isinstance(packet, REPORTS):
            for report in packet.reports:
                report.rssi = self._hears_dbm
            packet = type(packet)(packet.reports)  # so that it is written anew
        if type(packet) is hci.HCI_LE_Connection_Complete_Event:
            if packet.status == hci.HCI_ErrorCode.SUCCESS:
                self._timeouts[packet.peer_address] = packet.supervision_timeout * UNIT_S
            if self.le_event_mask >> ENHANCED_BIT & 1:
                packet = enhanced(packet)
        super().send_hci_packet(packet)

    def on_hci_le_create_connection_cancel_command(self, _command: Any) -> Any:
        pending = self.pending_le_connection
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        asyncio.get_running_loop().call_soon(self.send_hci_packet, cancelled(pending.peer_address))
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)


def enhanced(said: hci.HCI_LE_Connection_Complete_Event) -> hci.HCI_LE_Enhanced_Connection_Complete_Event:
    return hci.HCI_LE_Enhanced_Connection_Complete_Event(
        status=said.status,
        connection_handle=said.connection_handle,
        role=said.role,
        peer_address_type=said.peer_address_type,
        peer_address=said.peer_address,
        local_resolvable_private_address=hci.Address.ANY_RANDOM,
        peer_resolvable_private_address=hci.Address.ANY_RANDOM,
        connection_interval=said.connection_interval,
        peripheral_latency=said.peripheral_latency,
        supervision_timeout=said.supervision_timeout,
        central_clock_accuracy=said.central_clock_accuracy,
    )


def cancelled(peer: hci.Address) -> hci.HCI_LE_Connection_Complete_Event:
    return hci.HCI_LE_Connection_Complete_Event(
        status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
        connection_handle=0,
        role=hci.Role.CENTRAL,
        peer_address_type=peer.address_type,
        peer_address=peer,
        connection_interval=0,
        peripheral_latency=0,
        supervision_timeout=0,
        central_clock_accuracy=0,
    )


class Room(LocalLink):
    """All radios of a ward. What is lost on the way comes later, as on a real link layer, never not at all."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self._last: dict[tuple[int, int], float] = {}

    def send_advertising_pdu(self, sender: Antenna, packet: Any) -> None:  # type: ignore[override]
        if sender.is_away or self._random.random() < sender.loss:
            return
        loop = asyncio.get_running_loop()
        for other in self.controllers:
            if other is not sender and not other.is_away:
                loop.call_soon(other.hear_advertisement, sender.rssi_dbm, packet)

    def send_acl_data(self, sender: Antenna, to: hci.Address, transport: Any, data: bytes) -> None:  # type: ignore[override]
        if transport != PhysicalTransport.LE:
            super().send_acl_data(sender, to, transport, data)
            return
        other = self.find_le_controller(to)
        if other is None or other.is_away or sender.is_away:
            return
        link = sender.le_connections.get(to)  # the peer knows us by the address of this connection
        source = link.self_address if link else sender.random_address
        loop, pair = asyncio.get_running_loop(), (id(sender), id(other))
        at = max(loop.time() + max(sender.delay_s, other.delay_s), self._last.get(pair, 0.0))
        self._last[pair] = at  # in order
        loop.call_at(at, other.on_link_acl_data, source, transport, data)

    def send_ll_control_pdu(self, sender_address: Any, receiver_address: Any, packet: Any) -> None:
        ends = self.find_le_controller(sender_address), self.find_le_controller(receiver_address)
        if all(end is not None and not end.is_away for end in ends):
            super().send_ll_control_pdu(sender_address, receiver_address, packet)

    def leave(self, antenna: Antenna) -> None:
        """Out of range: it neither hears nor is heard."""
        antenna.is_away = True
        loop = asyncio.get_running_loop()
        for link in list(antenna.le_connections.values()):
            loop.call_later(antenna.supervision_s(link.peer_address), self._drop, antenna, link)

    def come_back(self, antenna: Antenna) -> None:
        antenna.is_away = False

    def _drop(self, antenna: Antenna, link: Any) -> None:
        """Both ends, if it is still away and nothing has ended the link."""
        if not antenna.is_away or antenna.le_connections.get(link.peer_address) is not link:
            return
        reason = hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR
        other = self.find_le_controller(link.peer_address)
        antenna.on_le_disconnected(link, reason)
        if other is not None and (end := other.le_connections.get(link.self_address)):
            other.on_le_disconnected(end, reason)
