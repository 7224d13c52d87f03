"""paho with bounds on what a broker may make us keep.

MQTT lets a broker declare a packet of 256 MiB, and paho takes it; messages of QoS 2 stay until the broker lets them go;
answers wait until it reads them. A broker with a good certificate may still be somebody's. What none of ours ever says
ends the link before it is kept. Our limit is in the CONNECT too, so an honest broker drops what others publish beyond.
"""

from __future__ import annotations

import socket

from agent.uplink import tcp
from agent.uplink.library import mqtt

TAKEN_LIMIT_BYTES = 1 << 17  # the largest that the centre says is a receipt of 64 KiB
WAITING_LIMIT_COUNT = 10_000  # a full window of our smallest envelopes is a quarter of it
_PUBLISH, _QOS_2 = 0x30, 0x04


class BoundError(OSError):
    """The broker says what none of ours does; paho takes an OSError for a lost connection, and it is one."""


class WaryClient(mqtt.Client):
    """`_sock_recv` is asked for one byte, or for the rest of the packet whose length was just read.

    `opens` makes the connection: paho would look for proxies in the environment, which is nobody's here.
    """

    opens: tcp.Open = staticmethod(tcp.direct)
    is_there = False  # somebody answered, if only TCP

    def _create_socket_connection(self) -> socket.socket:
        made = self.opens(self._host, self._port, self._connect_timeout)
        self.is_there = True
        return made

    def _sock_recv(self, bufsize: int) -> bytes:
        command = self._in_packet["command"]
        if bufsize > TAKEN_LIMIT_BYTES:
            raise BoundError(f"the broker declares a packet of {bufsize} bytes")
        if command & 0xF0 == _PUBLISH and command & _QOS_2:
            raise BoundError("the broker sends at QoS 2, which nobody subscribed to")
        if len(self._out_packet) > WAITING_LIMIT_COUNT:
            raise BoundError("the broker sends and does not read")
        return super()._sock_recv(bufsize)
