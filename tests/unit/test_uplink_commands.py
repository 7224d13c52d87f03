"""Commands: what is forged, foreign, replayed, expired, oversized, malformed or too frequent is refused by its name."""

from __future__ import annotations

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.uplink.commands import COMMAND_LEAST_S, Commands
from agent.uplink.flow import Flow, Limits
from agent.uplink.lanes import Lane, Parcel
from agent.uplink.pace import SECOND_NS, Terms
from agent.uplink.receipts import Receipts
from wire.command import COMMAND_LIMIT_BYTES, RANGES_LIMIT_COUNT, Command, CommandError, Resend, Wanted, read, sign
from wire.receipt import Held, Receipt
from wire.receipt import sign as sign_receipt
from wire.topics import Class

S = SECOND_NS
UTC = 1_800_000_000_000_000
LIFE_US = 600_000_000
CENTRE, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
EPOCH = 7
WANTED = [Wanted(EPOCH, Class.WAVE, [(0, 4), (9, 9)])]


def made(after_us: int = 0, epoch: int = EPOCH, signer=CENTRE, gateway: str = "gw-1", wanted=None) -> bytes:
    issued = UTC + after_us
    return sign(signer, gateway, Command(issued, issued + LIFE_US, epoch, Resend(WANTED if wanted is None else wanted)))


def raw(value: object) -> bytes:
    """Any CBOR, rightly signed."""
    body = cbor2.dumps(value)
    return body + CENTRE.sign(b"wardlink command 1gw-1" + body)


@pytest.fixture
def commands() -> Commands:
    return Commands([CENTRE.public_key()], "gw-1", EPOCH)


def test_a_command_of_the_centre_for_this_gateway_and_start_is_taken(commands) -> None:
    assert commands.take(made(), 0, None) == WANTED
    assert (commands.taken, commands.refused) == (1, {})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "size"),
        (bytes(COMMAND_LIMIT_BYTES + 1), "size"),
        (b"nonsense" * 20, "signature"),
        (made(signer=STRANGER), "signature"),
        (made(gateway="gw-2"), "signature"),
        (made()[:-1], "signature"),
        (bytes([made()[0] ^ 1]) + made()[1:], "signature"),
        (made(epoch=EPOCH - 1), "epoch"),
        (made(epoch=EPOCH + 1), "epoch"),
        (raw([UTC, UTC + LIFE_US, EPOCH, [2, []]]), "malformed"),  # a verb that is none
        (raw([UTC, UTC + LIFE_US, EPOCH, [1, [[7, 9, [[0, 1]]]]]]), "malformed"),  # a class that is none
        (raw([UTC, UTC + LIFE_US, EPOCH, [1, [[7, 1, [[4, 1]]]]]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, [1, [[7, 1, [[-1, 1]]]]]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, [1, [[7, 1, [[0, 1 << 32]]]]]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, [1, [[1 << 32, 1, [[0, 1]]]]]]), "malformed"),
        (raw("resend"), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH]), "malformed"),
        (made(wanted=[Wanted(EPOCH, 1, [(2 * n, 2 * n) for n in range(RANGES_LIMIT_COUNT + 1)])]), "malformed"),
        (sign_receipt(CENTRE, "gw-1", Receipt(UTC, [Held(EPOCH, 2, [(0, 4)])])), "signature"),  # a receipt is none
    ],
)
def test_what_is_no_command_of_ours_is_refused_by_reason(commands, data: bytes, reason: str) -> None:
    assert commands.take(data, 0, None) == []
    assert (commands.taken, commands.issued, commands.refused) == (0, 0, {reason: 1})
    assert commands.take(made(), 0, None) == WANTED, "and it hinders nothing"


def test_a_copy_or_an_older_one_is_refused_however_late_it_comes(commands) -> None:
    older, first = made(-1), made()
    assert commands.take(first, 0, None) == WANTED
    for now in (0, 100 * S, 10**6 * S):
        assert commands.take(first, now, None) == []
        assert commands.take(older, now, None) == []
    assert commands.refused == {"replayed": 6}


def test_one_that_waited_over_a_restart_is_refused(commands) -> None:
    assert Commands([CENTRE.public_key()], "gw-1", EPOCH + 1).take(made(), 0, None) == []


def test_expired_by_our_clock_where_it_is_known(commands) -> None:
    assert commands.take(made(), 0, UTC + LIFE_US + 1) == []
    assert commands.refused == {"expired": 1}
    assert commands.take(made(), 0, UTC + LIFE_US) == WANTED


def test_expired_by_the_centres_clock_where_ours_is_not(commands) -> None:
    """A receipt said what time it was there; a later word of an earlier time does not turn it back."""
    commands.heard(UTC, 50 * S)
    commands.heard(UTC - 10**9, 60 * S)
    late = 50 * S + (LIFE_US + 1) * 1000
    assert commands.take(made(), late, None) == []
    assert commands.refused == {"expired": 1}
    assert commands.take(made(1), late, None) == WANTED


def test_not_more_often_than_every_few_seconds(commands) -> None:
    least = int(COMMAND_LEAST_S * S)
    assert commands.take(made(), 0, None) == WANTED
    assert commands.take(made(1), least - 1, None) == []
    assert commands.take(made(1), least, None) == WANTED, "refused for haste it was not, so it may come again"
    assert commands.refused == {"often": 1}


def test_an_envelope_that_rests_is_backlog_at_once_when_the_centre_asks() -> None:
    flow = Flow(Limits())
    flow.up(Terms(), 0)
    for seq in range(3):
        flow.offer(Parcel(Lane.LIVE, Class.WAVE, EPOCH, 0, seq, bytes(10)), 0)
    sent: list[Parcel] = []
    flow.step(0, lambda parcel: sent.append(parcel) or len(sent), lambda: 0)
    for mid in (1, 2):
        flow.settle(mid, None, S)
    assert [flow.busy(S)(Class.WAVE, EPOCH, seq) for seq in range(3)] == [True, True, True]
    flow.refill((), S)
    assert not flow.wants_backlog(2 * S)
    flow.lacked(Wanted(EPOCH, Class.WAVE, [(1, 9)]), 2 * S)
    assert flow.wants_backlog(2 * S)
    assert [flow.busy(2 * S)(Class.WAVE, EPOCH, seq) for seq in range(3)] == [True, False, True], "2 is on its way"


def test_a_receipt_from_before_the_centre_said_what_it_lacks_frees_nothing() -> None:
    receipts = Receipts([CENTRE.public_key()], "gw-1")
    held = [Held(EPOCH, 2, [(0, 4)])]
    assert receipts.take(sign_receipt(CENTRE, "gw-1", Receipt(UTC, held))) == held
    receipts.asked(UTC + 5)
    assert receipts.take(sign_receipt(CENTRE, "gw-1", Receipt(UTC + 4, held))) == []
    assert receipts.refused["stale"] == 1
    assert receipts.take(sign_receipt(CENTRE, "gw-1", Receipt(UTC + 5, held))) == held
    assert receipts.utc == UTC + 5


def test_every_flipped_bit_and_every_cut_is_refused() -> None:
    data = made()
    broken = [data[:at] for at in range(len(data))]
    broken += [data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :] for at in range(len(data)) for bit in range(8)]
    for one in broken:
        with pytest.raises(CommandError):
            read(CENTRE.public_key(), "gw-1", one)
    assert read(CENTRE.public_key(), "gw-1", data).said.wanted == WANTED
