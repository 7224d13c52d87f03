"""Opening envelopes of many gateways: data keys come from grants as they arrive, or from the store when needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from enum import StrEnum

from centre import bounds
from centre.bounds import BoundsError
from centre.store.entry import Entry
from wire import bundle
from wire.bundle import BundleError
from wire.envelope import ENVELOPE_LIMIT_BYTES, VERSION, EnvelopeError, Header, header_of
from wire.keys import RecipientSecret
from wire.seal import NoGrantError, NotForUsError, Opener
from wire.topics import Address, Class

STARTS_LIMIT_COUNT = 4096
KEYS_LIMIT_COUNT = 512  # of one gateway in memory: three weeks of hours


class Reason(StrEnum):
    """Why something was refused: the names of the counters."""

    FOREIGN = "refused_foreign_gateway"
    UNPROVEN = "refused_unproven_gateway"
    TOPIC = "refused_topic"
    OVERSIZE = "refused_oversize"
    VERSION = "refused_version"
    HEADER = "refused_header"
    STATEMENT = "refused_signature"  # a statement that its gateway did not sign so
    OTHERS = "refused_grant_for_others"
    ALTERED = "refused_altered"  # not what was sealed: a flipped bit, or a forgery
    BUNDLE = "refused_bundle"
    BOUNDS = "refused_bounds"
    CODEC = "refused_codec"
    PRESENCE = "refused_presence"
    REPLY = "refused_reply"
    RELAY = "refused_relay_body"
    RELAYER = "refused_relayer"  # one that may not speak for others
    RELAY_OWN = "refused_relay_of_own"  # its own envelopes go by its own topics


class RefusedError(Exception):
    """What came is not taken; `reason` is counted."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class ConflictError(Exception):
    """Genuine, and of another start of the gateway, `start`, than the one that has this epoch here."""

    def __init__(self, start: bytes) -> None:
        super().__init__(start.hex())
        self.start = start


def header(data: bytes, cls: Class) -> Header:
    """The header of an envelope that came on the topic of `cls`. Raises RefusedError."""
    if len(data) > ENVELOPE_LIMIT_BYTES:
        raise RefusedError(Reason.OVERSIZE)
    if data[:1] != bytes([VERSION]):
        raise RefusedError(Reason.VERSION)
    try:
        read = header_of(data)
    except EnvelopeError as error:
        raise RefusedError(Reason.HEADER) from error
    if read.cls is not cls:
        raise RefusedError(Reason.TOPIC)
    return read


class Openers:
    """`stored(gateway, epoch, hour)` gives grants that came earlier, `first(gateway, epoch)` the start that came first;
    `secrets` are our private keys."""

    def __init__(
        self,
        secrets: Sequence[RecipientSecret],
        stored: Callable[[str, int, int], list[bytes]],
        first: Callable[[str, int], bytes | None],
    ) -> None:
        self._secrets = tuple(secrets)
        self._stored = stored
        self._first = first
        self._starts: dict[tuple[str, int], bytes] = {}  # the nonce of the start that has this epoch
        self._openers: dict[str, tuple[Opener, set[tuple[int, int]]]] = {}

    def statement(self, address: Address, received: int, data: bytes) -> Entry:
        """Verify an envelope of class key. Raises RefusedError, ConflictError."""
        opener, known = self._of(address.gateway)
        try:
            read, said = opener.statement(data)
            bounds.check_statement(read.epoch, said)
        except NotForUsError as error:
            raise RefusedError(Reason.OTHERS) from error
        except EnvelopeError as error:
            raise RefusedError(Reason.STATEMENT) from error
        except BoundsError as error:
            raise RefusedError(Reason.BOUNDS) from error
        known.add((read.epoch, read.hour))
        self._check_start(address.gateway, read.epoch, said.nonce)
        digest = hashlib.sha256(data).digest()
        return Entry(address, read, received, len(data), digest, said.nonce, said=said, data=data)

    def envelope(self, address: Address, received: int, data: bytes) -> Entry:
        """Open an envelope of class vital or wave. Raises RefusedError, NoGrantError, ConflictError."""
        opener, known = self._of(address.gateway)
        wanted = header_of(data)
        if not opener.knows(wanted):
            self._recall(opener, address.gateway, wanted)
            known.add((wanted.epoch, wanted.hour))
        try:
            read, plain, nonce = opener.open_as(data)
        except NoGrantError:
            known.discard((wanted.epoch, wanted.hour))
            raise
        except EnvelopeError as error:
            raise RefusedError(Reason.ALTERED) from error
        self._check_start(address.gateway, read.epoch, nonce)
        entry = Entry(address, read, received, len(data), hashlib.sha256(data).digest(), nonce)
        return _with_contents(entry, plain)

    def _check_start(self, gateway: str, epoch: int, nonce: bytes) -> None:
        """Two starts may wrongly share a number, as after a card was put back; the random bits tell them apart."""
        if (gateway, epoch) not in self._starts:
            if len(self._starts) > STARTS_LIMIT_COUNT:
                self._starts.clear()
            self._starts[gateway, epoch] = self._first(gateway, epoch) or nonce
        if self._starts[gateway, epoch] != nonce:
            raise ConflictError(nonce)

    def start(self, gateway: str, epoch: int) -> bytes:
        """The start that has this epoch, of which something is held or about to be; empty where nothing is."""
        return self._starts.get((gateway, epoch)) or self._first(gateway, epoch) or b""

    def forget(self, gateways: Iterable[str]) -> None:
        """What is known of these may be old."""
        named = set(gateways)
        self._starts = {key: start for key, start in self._starts.items() if key[0] not in named}

    def _of(self, gateway: str) -> tuple[Opener, set[tuple[int, int]]]:
        """The opener of a gateway and the hours it was told; a new one once it was told too many."""
        found = self._openers.get(gateway)
        if found is None or len(found[1]) > KEYS_LIMIT_COUNT:
            found = self._openers[gateway] = (Opener(gateway, self._secrets), set())
        return found

    def _recall(self, opener: Opener, gateway: str, wanted: Header) -> None:
        for data in self._stored(gateway, wanted.epoch, wanted.hour):
            try:
                opener.statement(data)
            except EnvelopeError:  # our key has changed since: then it is as if the grant had never come
                continue


def _with_contents(entry: Entry, plain: bytes) -> Entry:
    try:
        if entry.header.cls is Class.VITAL:
            records = bundle.read_vital(plain)
            bounds.check_records(records)
            return replace(entry, records=records)
        blocks = bundle.read_wave(plain)
        bounds.check_blocks(blocks)
        return replace(entry, blocks=blocks)
    except BundleError as error:
        raise RefusedError(Reason.BUNDLE) from error
    except BoundsError as error:
        raise RefusedError(Reason.BOUNDS) from error
