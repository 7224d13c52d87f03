"""The air of the guest: `agent.lab.ether`, in which a radio may also be faint, lossy and slow."""

from __future__ import annotations

import asyncio
import random
from typing import Any

from bumble import hci, ll
from bumble.controller import Controller
from bumble.core import PhysicalTransport

from agent.lab.ether import Chip, Ether

REPORTS = (hci.HCI_LE_Advertising_Report_Event, hci.HCI_LE_Extended_Advertising_Report_Event)


class Antenna(Chip):
    """`rssi_dbm` is how loud it is for others, `loss` the part of its advertisements that nobody hears, `delay_s` what
    its data takes: what is lost on a link comes later, as on a real one, never not at all.
    """

    rssi_dbm = -50
    loss = 0.0
    delay_s = 0.0
    _hears_dbm = -50

    def hear_advertisement(self, loud_dbm: int, packet: ll.AdvertisingPdu) -> None:
        self._hears_dbm = loud_dbm
        self.on_ll_advertising_pdu(packet)

    def send_hci_packet(self, packet: hci.HCI_Packet) -> None:
        if isinstance(packet, REPORTS):
            for report in packet.reports:
                report.rssi = self._hears_dbm
            packet = type(packet)(packet.reports)  # so that it is written anew
        super().send_hci_packet(packet)


class Room(Ether):
    """All radios of a ward are Antennas."""

    def __init__(self, seed: int = 1) -> None:
        super().__init__()
        self._random = random.Random(seed)
        self._last: dict[tuple[int, int], float] = {}

    def send_advertising_pdu(self, sender_controller: Controller, packet: ll.AdvertisingPdu) -> None:
        assert isinstance(sender_controller, Antenna)
        if sender_controller in self.away or self._random.random() < sender_controller.loss:
            return
        loop = asyncio.get_running_loop()
        for other in self.controllers:
            if isinstance(other, Antenna) and other is not sender_controller and other not in self.away:
                loop.call_soon(other.hear_advertisement, sender_controller.rssi_dbm, packet)

    def send_acl_data(
        self, sender_controller: Controller, destination_address: hci.Address, transport: PhysicalTransport, data: bytes
    ) -> None:
        other = self.find_le_controller(destination_address)
        if other is None:
            return
        loop, pair = asyncio.get_running_loop(), (id(sender_controller), id(other))
        at = max(loop.time() + max(_delay_s(sender_controller), _delay_s(other)), self._last.get(pair, 0.0))
        self._last[pair] = at  # in order
        loop.call_at(at, super().send_acl_data, sender_controller, destination_address, transport, data)


def _delay_s(controller: Any) -> float:
    return float(controller.delay_s)
