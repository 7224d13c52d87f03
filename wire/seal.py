"""Sealing and opening: a data key an hour, granted to recipients, forgotten when the hour ends (DESIGN 6).

The data key is 32 random bytes that live in memory only, and no longer than their hour. Each envelope is
ChaCha20-Poly1305 (RFC 8439) under it with the header as associated data; the key is HPKE-sealed (RFC 9180) to each
recipient in a signed grant. What lies in its own spool the gateway cannot read after a restart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from wire import statement
from wire.envelope import HEADER_BYTES, EnvelopeError, Header, associated, header_of
from wire.keys import Recipient, RecipientSecret, gateway_id
from wire.statement import Ended, Grant, Manifest, Recovered, Sealed, Statement
from wire.topics import Class

DATA_KEY_BYTES = 32
STARTS_LIMIT_COUNT = 8  # of one epoch: more than one is a card that was put back, and each costs a try
_SOURCE = "/dev/random"  # as getrandom(2): waits until the kernel has gathered enough after boot, and never again


def fresh(count: int) -> bytearray:
    """Random bytes of the kernel where they can be wiped: what os.urandom returns stays in freed memory."""
    out = bytearray(count)
    with open(_SOURCE, "rb", buffering=0) as source:  # noqa: PTH123  unbuffered, into our own bytes
        if source.readinto(out) != count:
            raise OSError(f"{_SOURCE} gave less than was asked for")
    return out


class Sealer:
    """The gateway's side. Numbers envelopes of every class from 0 and holds the data key of the hour.

    `secret(n)` gives n random bytes, which are wiped; tests pass a fixed one to make vectors, everybody else leaves it.
    """

    def __init__(
        self,
        signer: Ed25519PrivateKey,
        recipients: Sequence[Recipient],
        epoch: int,
        nonce: bytes,
        secret: Callable[[int], bytearray] = fresh,
    ) -> None:
        assert recipients, "nobody could open what is sealed"
        self._signer = signer
        self._recipients = tuple(recipients)
        self.epoch = epoch
        self._nonce = nonce
        self._secret = secret
        self._aead: ChaCha20Poly1305 | None = None
        self._hour = -1
        self._shares: list[tuple[bytes, bytes]] = []
        self._next = dict.fromkeys(Class, 0)
        self._leaves: dict[Class, list[bytes]] = {Class.VITAL: [], Class.WAVE: []}
        self._last = bytes(32)
        self.gateway = gateway_id(signer.public_key())

    def grant_to(self, recipients: Sequence[Recipient]) -> None:
        """From now on these may open, and nobody else. Another list ends the hour: its key is forgotten at once."""
        assert recipients, "nobody could open what is sealed"
        if set(recipients) != set(self._recipients):
            self._recipients = tuple(recipients)
            self.forget()

    def forget(self) -> None:
        """Let go of the data key: its one copy is in OpenSSL's contexts, which clear what they free."""
        self._aead = None

    @property
    def wants_hour(self) -> bool:
        """Whether there is no data key: `begin_hour` comes before anything is sealed."""
        return self._aead is None

    def begin_hour(self) -> tuple[Header, bytes]:
        """Forget the data key, make the next, and return its grant: to be durable before anything sealed under it."""
        self.forget()
        self._hour += 1
        key = self._secret(DATA_KEY_BYTES)
        try:
            self._aead = ChaCha20Poly1305(key)
            self._shares = [(r.kid, r.seal(key, self._info(r.kid))) for r in self._recipients]
        finally:
            key[:] = bytes(len(key))
        return self.grant()

    def grant(self) -> tuple[Header, bytes]:
        """The grant of this hour: what is sealed is worth nothing without it, so it can be said again."""
        return self._state(Grant(self._nonce, self._last, self._shares))

    def seal(self, cls: Class, plain: bytes) -> tuple[Header, bytes]:
        """Seal a bundle of class vital or wave."""
        assert self._aead is not None, "begin_hour comes first"
        header = self._number(cls)
        packed = header.pack()
        data = packed + self._aead.encrypt(header.nonce(), plain, associated(self.gateway, packed))
        self._leaves[cls].append(hashlib.sha256(data).digest())
        return header, data

    def manifest(self) -> tuple[Header, bytes] | None:
        """A signed list of what was sealed since the last one; None if nothing was."""
        sealed = [
            Sealed(int(cls), self._next[cls] - len(leaves), len(leaves), hashlib.sha256(b"".join(leaves)).digest())
            for cls, leaves in self._leaves.items()
            if leaves
        ]
        if not sealed:
            return None
        for leaves in self._leaves.values():
            leaves.clear()
        made = self._state(Manifest(self._last, sealed, self._nonce))
        self._last = hashlib.sha256(made[1]).digest()
        return made

    def ended(self, tails: Iterable[tuple[int, int, int]], recovered: Iterable[Recovered] = ()) -> tuple[Header, bytes]:
        """Earlier epochs end at (epoch, class, next seq), as far as the spool knows, and this is in it of the last."""
        ends = [(epoch, cls, following) for epoch, cls, following in tails]
        return self._state(Ended(ends, list(recovered), self._nonce))

    def _state(self, said: Statement) -> tuple[Header, bytes]:
        header = self._number(Class.KEY)
        return header, statement.sign(self._signer, self.gateway, header, said)

    def _number(self, cls: Class) -> Header:
        seq = self._next[cls]
        self._next[cls] = seq + 1
        return Header(self.epoch, cls, seq, max(self._hour, 0))

    def _info(self, kid: bytes) -> bytes:
        return grant_info(self.gateway, self.epoch, self._hour, kid)


def grant_info(gateway: str, epoch: int, hour: int, kid: bytes) -> bytes:
    """The HPKE info of a share: binds it to gateway, epoch, hour and recipient."""
    return b"wardlink grant 1" + gateway.encode("ascii") + epoch.to_bytes(4) + hour.to_bytes(2) + kid


class NotForUsError(EnvelopeError):
    """A grant without a share for any of our keys."""


class NoGrantError(EnvelopeError):
    """The grant of this envelope's hour has not come yet."""


class Opener:
    """A recipient's side: holds data keys of one gateway by (epoch, hour); `secrets` are our private keys."""

    def __init__(self, gateway: str, secrets: Sequence[RecipientSecret]) -> None:
        self._gateway = gateway
        self._secrets = {secret.recipient.kid: secret for secret in secrets}
        self._keys: dict[tuple[int, int], dict[bytes, ChaCha20Poly1305]] = {}  # by the nonce of the start

    def statement(self, data: bytes) -> tuple[Header, Statement]:
        """Read and verify an envelope of class key, and keep the data key if it is a grant to us.

        Raises EnvelopeError; NotForUsError where the grant is genuine and for others.
        """
        header, said = statement.read(self._gateway, data)
        if isinstance(said, Grant):
            key = ChaCha20Poly1305(self._share(header, said))
            keys = self._keys.setdefault((header.epoch, header.hour), {})
            if said.nonce in keys or len(keys) < STARTS_LIMIT_COUNT:
                keys[said.nonce] = key
        return header, said

    def _share(self, header: Header, grant: Grant) -> bytes:
        for kid, sealed in grant.shares:
            secret = self._secrets.get(kid)
            if secret is None:
                continue
            try:
                key = secret.open(sealed, grant_info(self._gateway, header.epoch, header.hour, kid))
            except (InvalidTag, ValueError) as error:
                raise EnvelopeError("the share under our key does not open") from error
            if len(key) != DATA_KEY_BYTES:
                raise EnvelopeError(f"a data key of {len(key)} bytes")
            return key
        raise NotForUsError("the grant has no share for any of our keys")

    def knows(self, header: Header) -> bool:
        """Whether the data key of this envelope is here."""
        return (header.epoch, header.hour) in self._keys

    def forget_before(self, epoch: int) -> None:
        """Drop the data keys of earlier epochs (their grants, being stored, open them again when needed)."""
        self._keys = {place: key for place, key in self._keys.items() if place[0] >= epoch}

    def open(self, data: bytes) -> tuple[Header, bytes]:
        """Open an envelope of class vital or wave: (header, bundle). Raises EnvelopeError, NoGrantError."""
        header, plain, _ = self.open_as(data)
        return header, plain

    def open_as(self, data: bytes) -> tuple[Header, bytes, bytes]:
        """The same, and the nonce of the start that sealed it: two may wrongly share an epoch (a card put back)."""
        header = header_of(data)
        if header.cls is Class.KEY:
            raise EnvelopeError("a statement is read, not opened")
        keys = self._keys.get((header.epoch, header.hour))
        if not keys:
            raise NoGrantError(f"no grant yet for epoch {header.epoch}, hour {header.hour}")
        aad = associated(self._gateway, data[:HEADER_BYTES])
        for nonce, aead in keys.items():
            try:
                return header, aead.decrypt(header.nonce(), data[HEADER_BYTES:], aad), nonce
            except InvalidTag:  # not under this one
                continue
        raise EnvelopeError("the envelope is not what the gateway sealed")
