r"""What we say to a monitor, and when: in PDS a heartbeat a second and a query, in PCD the receipt of each message.

    MSH|^~\&|||||||ORU^R01|106|P|2.3.1|        the heartbeat, both ways, once a second
    MSH|^~\&|||||||QRY^R02|1203|P|2.3.1        the query; the next one replaces it
    QRD|20060731145557|R|I|Q895211|||||RES     (the guide's own example: its time and number say nothing)
    QRF|MON||||0&0^1^1^1^                      all readings; ^1^1^0^101&151 these; ^2^ waves, ^3^ and ^4^ alarms
    MSH|^~\&|WARDLINK||||||ACK|1227|P|2.6      the receipt: it carries the number of the message and nothing else
    MSA|AA|1227

A monitor is asked once it has said its first heartbeat, which ends what it says of itself unasked; again where no
reading comes for ASK_NS, in turn for all and by number: a uMEC12 is known that takes the first and gives nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from drivers.contract import Masked, Send
from drivers.hl7.blocks import block
from drivers.mindray.codes import PARAMETERS

SECOND_NS = 1_000_000_000
BEAT_NS = SECOND_NS
ASK_NS = 10 * SECOND_NS
IDS_LIMIT = 4  # numbers in one QRF
NUMBER_LIMIT_DIGITS = 20
HEARTBEAT_ID = "106"

HEARTBEAT = block(b"MSH|^~\\&|||||||ORU^R01|106|P|2.3.1|\r")
_QUERY = b"MSH|^~\\&|||||||QRY^R02|1203|P|2.3.1\rQRD|20060731145557|R|I|Q895211|||||RES\r"
_ALARMS = b"QRF|MON||||0&0^3^1^1^\rQRF|MON||||0&0^4^1^1^\r"
_WAVES = b"QRF|MON||||0&0^2^1^0^1101&1102&1151&1152\rQRF|MON||||0&0^2^1^0^1171\r"


def _by_number() -> bytes:
    ids = [number for number in PARAMETERS if not 105 <= int(number) <= 116]  # all but the twelve ST
    groups = ("&".join(ids[at : at + IDS_LIMIT]) for at in range(0, len(ids), IDS_LIMIT))
    return "".join(f"QRF|MON||||0&0^1^1^0^{group}\r" for group in groups).encode()


ASK_ALL = block(_QUERY + b"QRF|MON||||0&0^1^1^1^\r" + _WAVES + _ALARMS)
ASK_BY_NUMBER = block(_QUERY + _by_number() + _WAVES + _ALARMS)
SENDS = frozenset((HEARTBEAT, ASK_ALL, ASK_BY_NUMBER))


def receipt(number: bytes) -> bytes:
    return block(b"MSH|^~\\&|WARDLINK||||||ACK|" + number + b"|P|2.6\rMSA|AA|" + number + b"\r")


def _masked(digits: int) -> Masked:
    """Any number of so many digits: the low four bits of each are free."""
    data, nines = receipt(b"0" * digits), receipt(b"\x3f" * digits)
    free = bytes(0x0F if zero != nine else 0 for zero, nine in zip(data, nines, strict=True))
    return Masked(data, free)


RECEIPTS = tuple(_masked(digits) for digits in range(1, NUMBER_LIMIT_DIGITS + 1))


class Talk:
    """PDS, from the first heartbeat on. `wake_at` is None before."""

    def __init__(self) -> None:
        self.wake_at: int | None = None
        self._asked_at: int | None = None
        self._read_at = 0
        self._asks_all = True

    def begin(self, now: int) -> Iterator[Send]:
        """Ask before the monitor has said anything."""
        yield from self._beat(now)
        yield from self._ask(now)

    def heard(self, control: str, has_readings: bool, now: int) -> Iterator[Send]:
        """A message of PDS came."""
        if has_readings:
            self._read_at = now
        if self.wake_at is None:
            yield from self._beat(now)
        if control == HEARTBEAT_ID and self._asked_at is None:
            yield from self._ask(now)

    def wake(self, now: int) -> Iterator[Send]:
        """`wake_at` has passed."""
        yield from self._beat(now)
        if self._asked_at is not None and now - max(self._asked_at, self._read_at) >= ASK_NS:
            yield from self._ask(now)

    def _beat(self, now: int) -> Iterator[Send]:
        self.wake_at = now + BEAT_NS
        yield Send(HEARTBEAT)

    def _ask(self, now: int) -> Iterator[Send]:
        self._asked_at = now
        yield Send(ASK_ALL if self._asks_all else ASK_BY_NUMBER)
        self._asks_all = not self._asks_all
