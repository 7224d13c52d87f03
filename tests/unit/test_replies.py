"""Replies: signed by the gateway, bounded, one at a time on the link, behind what is live."""

from __future__ import annotations

import asyncio

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.uplink.flow import Flow, Limits
from agent.uplink.lanes import Lane, Parcel
from agent.uplink.pace import Terms
from agent.uplink.replies import Replies
from wire import keys
from wire.reply import PIECE_LIMIT_BYTES, PIECES_LIMIT_COUNT, REPLY_LIMIT_BYTES, Answer, Piece, ReplyError, read, sign
from wire.topics import Class

KEY, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
ME = keys.gateway_id(KEY.public_key())
NONCE = b"8 random"


@pytest.mark.parametrize(
    "said",
    [
        Answer("done", "3 go again"),
        Answer("refused", "x" * 300),
        Piece(0, 2, bytes(PIECE_LIMIT_BYTES)),
        Piece(1, 2, b"x"),
    ],
    ids=["answer", "long", "piece", "last"],
)
def test_a_reply_goes_as_it_came(said) -> None:
    data = sign(KEY, NONCE, said)
    assert len(data) <= REPLY_LIMIT_BYTES
    assert (read(ME, data).nonce, read(ME, data).said) == (NONCE, said)


def raw(value: object, signer: Ed25519PrivateKey = KEY, gateway: str = ME) -> bytes:
    body = cbor2.dumps(value)
    return body + signer.sign(b"wardlink reply 1" + gateway.encode() + body)


OWN, FOREIGN = keys.raw(KEY.public_key()), keys.raw(OTHER.public_key())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(REPLY_LIMIT_BYTES + 1),
        sign(OTHER, NONCE, Answer("done", "")),  # another gateway's
        raw([OWN, NONCE, [1, "done", ""]], signer=OTHER),
        raw([FOREIGN, NONCE, [1, "done", ""]]),
        raw([OWN, NONCE, [1, "won", ""]]),
        raw([OWN, NONCE, [1, "done", "x" * 301]]),
        raw([OWN, NONCE, [1, "done", "", 0]]),
        raw([OWN, NONCE, [3]]),
        raw([OWN, b"7 bytes", [1, "done", ""]]),
        raw([OWN[:31], NONCE, [1, "done", ""]]),
        raw([OWN, NONCE, [2, 0, 2, b"short"]]),
        raw([OWN, NONCE, [2, 1, 1, b"x"]]),
        raw([OWN, NONCE, [2, -1, 1, b"x"]]),
        raw([OWN, NONCE, [2, 0, 1, b""]]),
        raw([OWN, NONCE, [2, PIECES_LIMIT_COUNT, PIECES_LIMIT_COUNT + 1, b"x"]]),
        raw("done"),
    ],
)
def test_what_is_no_reply_of_this_gateway_is_refused(data: bytes) -> None:
    with pytest.raises(ReplyError):
        read(ME, data)


def test_every_flipped_bit_and_every_cut_is_refused() -> None:
    data = sign(KEY, NONCE, Answer("done", "well"))
    broken = [data[:at] for at in range(len(data))]
    broken += [data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :] for at in range(len(data)) for bit in range(8)]
    for one in broken:
        with pytest.raises(ReplyError):
            read(ME, one)


def test_one_is_outstanding_answers_first_and_what_a_link_loses_goes_again() -> None:
    async def story() -> None:
        woken: list[int] = []
        replies = Replies(lambda: woken.append(1))
        sent: list[bytes] = []

        def publish(data: bytes) -> int:
            sent.append(data)
            return len(sent)

        pieces = [asyncio.create_task(replies.send(b"piece %d" % n, piece=True)) for n in range(2)]
        await asyncio.sleep(0)
        assert replies.step(publish) == 1
        answer = asyncio.create_task(replies.send(b"answer"))
        await asyncio.sleep(0)
        assert replies.step(publish) is None, "one is on its way"
        replies.down()
        assert [replies.step(publish), replies.step(publish)] == [2, None]
        replies.settle(99, None)
        replies.settle(2, None)
        assert await pieces[0] == ""
        assert replies.step(publish) == 3
        replies.settle(3, "not authorized")
        assert await answer == "not authorized"
        assert replies.step(publish) == 4
        pieces[1].cancel()
        await asyncio.sleep(0)
        replies.settle(4, None)
        assert sent == [b"piece 0", b"piece 0", b"answer", b"piece 1"]
        assert replies.step(publish) is None

    asyncio.run(story())


def test_nothing_goes_while_something_live_waits() -> None:
    flow = Flow(Limits())
    assert not flow.may_reply(lambda: 0), "there is no link"
    flow.up(Terms(receive_limit_count=2), 0)
    assert flow.may_reply(lambda: 0)
    assert not flow.may_reply(lambda: 1 << 20), "the kernel holds what live could not pass"
    for seq in range(3):
        flow.offer(Parcel(Lane.LIVE, Class.VITAL, 1, 0, seq, bytes(10)), 0)
    assert not flow.may_reply(lambda: 0)
    mids = iter(range(1, 9))
    flow.step(0, lambda parcel: next(mids), lambda: 0)
    assert not flow.may_reply(lambda: 0), "the third waits"
    flow.settle(1, None, 0)
    flow.step(0, lambda parcel: next(mids), lambda: 0)
    assert not flow.may_reply(lambda: 0), "the broker takes two at a time"
    flow.settle(2, None, 0)
    assert flow.may_reply(lambda: 0)
    flow.aside(9, 0)
    assert not flow.may_reply(lambda: 0)
