"""The air in one process, on Bumble: radios that hear each other, leave and come back, and lose what is said.

Adds to Bumble 0.0.236 what a real radio does: a cancelled attempt to connect ends, a device that is out of range is
missed after the supervision timeout, and a host that asked for LE Enhanced Connection Complete (Linux) gets it.
"""

from __future__ import annotations

import asyncio
from typing import Any

from bumble import hci, ll
from bumble.controller import Connection, Controller
from bumble.core import PhysicalTransport
from bumble.link import LocalLink

SUPERVISION_S = 5.0
ENHANCED_BIT = 9  # of the LE event mask


class Ordered(list[Controller]):
    """As Bumble's set of controllers, in the order of their coming: the same story each time."""

    def add(self, controller: Controller) -> None:
        self.append(controller)


class Ether(LocalLink):
    """Who is `away` neither hears nor is heard."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.controllers = Ordered()  # type: ignore[assignment]
        self.away: set[Controller] = set()

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        if sender_controller in self.away:
            return
        loop = asyncio.get_running_loop()
        for other in self.controllers:
            if other is not sender_controller and other not in self.away:
                loop.call_soon(other.on_ll_advertising_pdu, packet)

    def send_acl_data(
        self,
        sender_controller: Controller,
        destination_address: hci.Address,
        transport: PhysicalTransport,
        data: bytes,
    ) -> None:
        other = self.find_le_controller(destination_address)
        if other is None or sender_controller in self.away or other in self.away:
            return
        link = sender_controller.le_connections.get(destination_address)
        source = link.self_address if link else sender_controller.random_address
        asyncio.get_running_loop().call_soon(other.on_link_acl_data, source, transport, data)

    def send_ll_control_pdu(
        self, sender_address: hci.Address, receiver_address: hci.Address, packet: ll.ControlPdu
    ) -> None:
        ends = self.find_le_controller(sender_address), self.find_le_controller(receiver_address)
        if None not in ends and not any(end in self.away for end in ends):
            super().send_ll_control_pdu(sender_address, receiver_address, packet)

    def leave(self, controller: Controller) -> None:
        """Out of range: its links end on both sides when the supervision timeout is over."""
        self.away.add(controller)
        for link in list(controller.le_connections.values()):
            asyncio.get_running_loop().call_later(SUPERVISION_S, self._miss, controller, link)

    def come_back(self, controller: Controller) -> None:
        self.away.discard(controller)

    def _miss(self, controller: Controller, link: Connection) -> None:
        if controller in self.away and controller.le_connections.get(link.peer_address) is link:
            self.cut(controller, link, hci.HCI_ErrorCode.CONNECTION_TIMEOUT_ERROR)

    def cut(self, controller: Controller, link: Connection, reason: hci.HCI_ErrorCode) -> None:
        """End a link on both sides."""
        other = self.find_le_controller(link.peer_address)
        theirs = other.le_connections.get(link.self_address) if other else None
        controller.on_le_disconnected(link, reason)
        if other is not None and theirs is not None:
            other.on_le_disconnected(theirs, reason)


class Chip(Controller):
    """A controller that ends a cancelled attempt, and speaks to Linux."""

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        if isinstance(packet, hci.HCI_LE_Connection_Complete_Event) and self.le_event_mask >> ENHANCED_BIT & 1:
            packet = _enhanced(packet)
        super().send_hci_packet(packet)

    def on_hci_le_create_connection_cancel_command(self, _command: Any) -> hci.HCI_StatusReturnParameters:
        pending = self.pending_le_connection
        if pending is None:
            return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.COMMAND_DISALLOWED_ERROR)
        self.pending_le_connection = None
        ended = hci.HCI_LE_Connection_Complete_Event(
            status=hci.HCI_ErrorCode.UNKNOWN_CONNECTION_IDENTIFIER_ERROR,
            connection_handle=0,
            role=hci.Role.CENTRAL,
            peer_address_type=pending.peer_address.address_type,
            peer_address=pending.peer_address,
            connection_interval=0,
            peripheral_latency=0,
            supervision_timeout=0,
            central_clock_accuracy=0,
        )
        asyncio.get_running_loop().call_soon(self.send_hci_packet, ended)
        return hci.HCI_StatusReturnParameters(hci.HCI_ErrorCode.SUCCESS)


def _enhanced(event: hci.HCI_LE_Connection_Complete_Event) -> hci.HCI_Packet:
    return hci.HCI_LE_Enhanced_Connection_Complete_Event(
        status=event.status,
        connection_handle=event.connection_handle,
        role=event.role,
        peer_address_type=event.peer_address_type,
        peer_address=event.peer_address,
        local_resolvable_private_address=hci.Address.ANY_RANDOM,
        peer_resolvable_private_address=hci.Address.ANY_RANDOM,
        connection_interval=event.connection_interval,
        peripheral_latency=event.peripheral_latency,
        supervision_timeout=event.supervision_timeout,
        central_clock_accuracy=event.central_clock_accuracy,
    )
