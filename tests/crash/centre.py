"""Subscribes to one gateway and hands on its envelopes; driven by hand, for its process forks and has no threads."""

from __future__ import annotations

import os
import select
from collections.abc import Callable

import paho.mqtt.client as mqtt

KEEP_ALIVE_S = 3600  # the books may take long to close


class Collector:
    def __init__(self, port: int, gateway: str, take: Callable[[bytes], object]) -> None:
        self._ready = False
        self._take = take
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, f"{gateway}-centre", protocol=mqtt.MQTTv5)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe(f"wl/1/+/{gateway}/#", 1)
        self._client.on_subscribe = lambda *_: setattr(self, "_ready", True)
        self._client.connect("127.0.0.1", port, KEEP_ALIVE_S)
        while not self._ready:
            select.select([self.socket], [], [], 0.05)
            self.receive()

    @property
    def socket(self) -> int:
        socket = self._client.socket()
        assert socket is not None, "the broker is gone"
        return int(socket.fileno())

    def receive(self) -> None:
        """All that has come."""
        while select.select([self.socket], [], [], 0)[0]:
            self._client.loop_read()
            while self._client.want_write():
                self._client.loop_write()
        while self._client.want_write():
            self._client.loop_write()

    def let_go(self) -> None:
        """In a child: close the descriptor and leave the connection to the parent."""
        os.close(self.socket)

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        if not message.topic.endswith("/state"):
            self._take(message.payload)
