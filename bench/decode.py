"""How the bench's verifier reads what wardlink publishes: opens grants and envelopes as a recipient would.

decode(topic, payload) -> (device, "ecg", seq, 12 integers) or (device, "oxi", seq15, (hr, spo2)), one a frame
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(os.environ.get("WARDLINK_ROOT", Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(ROOT))

from wire import bundle, codec, keys, topics  # noqa: E402
from wire.envelope import header_of  # noqa: E402
from wire.records import Catalogue, NumericAt, StreamInfo  # noqa: E402
from wire.seal import Opener  # noqa: E402
from wire.topics import Class  # noqa: E402

LEADS = 12
Frame = tuple[str, str, int, tuple[int, ...]]


class Reader:
    """One gateway: opens, waits for grants and catalogues that come later, yields frames."""

    def __init__(self, gateway: str) -> None:
        secret = Path(os.environ.get("BENCH_SECRET", "/tmp/wardlink-bench-recipient.key")).read_text(encoding="ascii")
        self._opener = Opener(gateway, [keys.recipient_secret(secret)])
        self._sealed: list[bytes] = []
        self._streams: dict[tuple[int, int], tuple[str, StreamInfo]] = {}
        self._numbers: dict[tuple[int, str, str], int] = {}
        self._blocks: list[tuple[int, Any]] = []
        self._counters: dict[tuple[int, str], int] = {}

    def take(self, data: bytes) -> Iterator[Frame]:
        header = header_of(data)
        if header.cls is Class.KEY:
            self._opener.statement(data)
            waiting, self._sealed = self._sealed, []
            for sealed in waiting:
                yield from self.take(sealed)
        elif not self._opener.knows(header):
            self._sealed.append(data)
        else:
            yield from self._opened(*self._opener.open(data))

    def _opened(self, header: Any, plain: bytes) -> Iterator[Frame]:
        if header.cls is Class.VITAL:
            for record in bundle.read_vital(plain):
                if isinstance(record, Catalogue):
                    device = record.port.rsplit("/", 1)[-1]
                    for info in record.streams:
                        self._streams[header.epoch, info.stream] = device, info
                if isinstance(record, NumericAt):
                    device, info = self._streams[header.epoch, record.stream]
                    self._numbers[header.epoch, device, info.channel] = int(record.value or 0)
        else:
            self._blocks += [(header.epoch, block) for block in bundle.read_wave(plain)]
        blocks, self._blocks = self._blocks, []
        for epoch, block in blocks:
            frames = list(self._frames(epoch, block))
            if frames or (epoch, block.stream) in self._streams:
                yield from frames
            else:
                self._blocks.append((epoch, block))

    def _frames(self, epoch: int, block: Any) -> Iterator[Frame]:
        if (epoch, block.stream) not in self._streams:
            return
        device, info = self._streams[epoch, block.stream]
        values = codec.decode(block.coded, block.rows, block.count)
        if block.rows == LEADS:
            for at in range(block.count):
                yield device, "ecg", info.counter + block.first + at, tuple(int(v) for v in values[:, at])
            return
        pair = self._numbers.get((epoch, device, "spo2.pr")), self._numbers.get((epoch, device, "spo2"))
        for at in range(block.count):
            pleth, bar, signal = (int(v) for v in values[:, at])
            yield device, "oxi", pleth | bar << 7 | signal << 11, pair  # type: ignore[misc]


READERS: dict[str, Reader] = {}


def decode(topic: str, payload: bytes) -> Iterator[Frame]:
    address, word = topics.parse(topic)
    if word in ("key", "vital", "wave"):
        yield from READERS.setdefault(address.gateway, Reader(address.gateway)).take(payload)
