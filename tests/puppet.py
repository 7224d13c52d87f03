"""A driver that says what a test tells it to, and a ward that hears it."""

from collections.abc import Iterable
from fractions import Fraction

from agent.sessions.ward import Ward
from drivers.contract import Driver, Info, Integrity, Output, Scale, Send, Serial, Wave
from wire import bundle, codec
from wire.records import StreamGap

SECOND_US = 1_000_000
ECG = Scale(Fraction(500), "mV", Fraction(1, 200), bits=12)
SLOW = Scale(Fraction(50), "1")


class Puppet(Driver):
    """Says what the test puts into `says`, whatever it hears."""

    info = Info("puppet", ("a puppet",), (Serial(9600),), ("*",), Integrity.SUM, "none", frozenset({b"ask"}))

    def __init__(self) -> None:
        super().__init__()
        self.says: list[Output] = []
        self.waiting = 0

    def on_open(self, now: int) -> Iterable[Output]:
        return [Send(b"ask")]

    def on_bytes(self, data: bytes, now: int, source: str = "") -> Iterable[Output]:
        if data == b"raise":
            raise ZeroDivisionError
        said, self.says = self.says, []
        return said

    def pending(self) -> int:
        return self.waiting


class Scene:
    """A ward with one session."""

    def __init__(self) -> None:
        self.ward = Ward(lambda: codec.Encoder().encode)
        self.driver = Puppet()
        self.session = self.ward.open(self.driver, "/dev/ttyUSB0", 0)

    def hear(self, t: int, *outputs: Output) -> None:
        self.session.hear(outputs, t)

    def take(self, t: int = 10 * SECOND_US):
        """(records, blocks), as they come out of their bundles."""
        records, blocks = self.ward.take(t)
        assert not records or bundle.read_vital(bundle.pack_vital(records)) == records
        assert not blocks or bundle.read_wave(bundle.pack_wave(blocks)) == blocks
        return records, blocks

    def gaps(self) -> list[tuple[int, int | None, str]]:
        return [(r.first, r.count, r.cause) for r in self.take()[0] if isinstance(r, StreamGap)]


def wave(first: int | None, count: int, wraps: int = 0, channel: str = "ecg.ii", scale: Scale = ECG) -> Wave:
    return Wave(channel, tuple(range(count)), scale, first, wraps)
