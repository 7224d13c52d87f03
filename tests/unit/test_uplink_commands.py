"""Commands: what is forged, foreign, replayed, expired, oversized, malformed or too frequent is refused by its name."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.uplink.commands import COMMAND_LEAST_S, Commands
from agent.uplink.flow import Flow, Limits
from agent.uplink.lanes import Lane, Parcel
from agent.uplink.pace import SECOND_NS, Terms
from agent.uplink.receipts import Receipts
from tests.told import START, OneStart, held, told
from wire import command
from wire.command import (
    DIRECTORY_LIMIT_BYTES,
    RANGES_LIMIT_COUNT,
    ROTATE_LIMIT_BYTES,
    CollectBundle,
    Command,
    CommandError,
    Resend,
    Rotate,
    SetPolicy,
    Update,
    Wanted,
    read,
    sign,
)
from wire.receipt import sign as sign_receipt
from wire.topics import Class

S = SECOND_NS
UTC = 1_800_000_000_000_000
LIFE_US = 600_000_000
CENTRE, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
EPOCH = 7
NONCE = b"8 random"
WANTED = [Wanted(EPOCH, Class.WAVE, [(0, 4), (9, 9)])]


def made(
    after_us: int = 0, epoch: int = EPOCH, signer=CENTRE, gateway: str = "gw-1", wanted=None, start: bytes = START
) -> bytes:
    issued = UTC + after_us
    said = Resend(WANTED if wanted is None else wanted)
    return sign(signer, gateway, Command(issued, issued + LIFE_US, epoch, start, NONCE, said))


def take(commands: Commands, data: bytes, now: int, utc: int | None) -> list[Wanted]:
    """What is asked for, nothing if it is refused."""
    command = commands.take(data, now, utc)
    return command.said.wanted if command else []


def raw(value: object, label: bytes = b"wardlink command 2") -> bytes:
    """Any CBOR, rightly signed."""
    body = cbor2.dumps(value)
    return body + CENTRE.sign(label + b"gw-1" + body)


@pytest.fixture
def commands() -> Commands:
    return Commands([CENTRE.public_key()], "gw-1", EPOCH, START)


def test_a_command_of_the_centre_for_this_gateway_and_start_is_taken(commands) -> None:
    assert take(commands, made(), 0, None) == WANTED
    assert (commands.taken, commands.refused) == (1, {})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "size"),
        (bytes(ROTATE_LIMIT_BYTES + 1), "size"),
        (b"nonsense" * 20, "signature"),
        (made(signer=STRANGER), "signature"),
        (made(gateway="gw-2"), "signature"),
        (made()[:-1], "signature"),
        (bytes([made()[0] ^ 1]) + made()[1:], "signature"),
        (made(epoch=EPOCH - 1), "epoch"),
        (made(epoch=EPOCH + 1), "epoch"),
        (made(start=b"another."), "start"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [6]]), "malformed"),  # a verb that is none
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [4, "rm"]]), "malformed"),  # a field that is none
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [1, [], 0]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [1, []], 0]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [2, 249]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [2, 10_001]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [2, None, "never"]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [3, b""]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [3, bytes(DIRECTORY_LIMIT_BYTES + 1)]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [5, "1.2", "http://x/", bytes(32), "1.0"]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [5, "1.2", "https://x/\n", bytes(32), "1.0"]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [5, "1.2", "https://x/", bytes(31), "1.0"]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [5, "1.2;ls", "https://x/", bytes(32), "1.0"]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, b"7 bytes", [4]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, b"7 bytes", NONCE, [4]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, NONCE, [4]]), "malformed"),  # the fields of format 1
        (raw([UTC, UTC + LIFE_US, EPOCH, NONCE, [4]], b"wardlink command 1"), "format"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [1, [[0, 1, [[n, n] for n in range(4000)]]]]]), "size"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [1, [[7, 9, [[0, 1]]]]]]), "malformed"),  # a class that is none
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [1, [[7, 1, [[4, 1]]]]]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [1, [[7, 1, [[-1, 1]]]]]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [1, [[7, 1, [[0, 1 << 32]]]]]]), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [1, [[1 << 32, 1, [[0, 1]]]]]]), "malformed"),
        (raw("resend"), "malformed"),
        (raw([UTC, UTC + LIFE_US, EPOCH]), "malformed"),
        (made(wanted=[Wanted(EPOCH, 1, [(2 * n, 2 * n) for n in range(RANGES_LIMIT_COUNT + 1)])]), "malformed"),
        (sign_receipt(CENTRE, "gw-1", told(UTC, [held(EPOCH, 2, [(0, 4)])])), "signature"),  # a receipt is none
    ],
)
def test_what_is_no_command_of_ours_is_refused_by_reason(commands, data: bytes, reason: str) -> None:
    assert take(commands, data, 0, None) == []
    assert (commands.taken, commands.issued, commands.refused) == (0, 0, {reason: 1})
    assert take(commands, made(), 0, None) == WANTED, "and it hinders nothing"


def test_a_copy_or_an_older_one_is_refused_however_late_it_comes(commands) -> None:
    older, first = made(-1), made()
    assert take(commands, first, 0, None) == WANTED
    for now in (0, 100 * S, 10**6 * S):
        assert take(commands, first, now, None) == []
        assert take(commands, older, now, None) == []
    assert commands.refused == {"replayed": 6}


def test_one_that_waited_over_a_restart_is_refused(commands) -> None:
    assert take(Commands([CENTRE.public_key()], "gw-1", EPOCH + 1, START), made(), 0, None) == []


def test_a_copy_for_the_first_start_of_a_number_counts_at_no_second(commands) -> None:
    """A card that was put back begins the same epoch again, within the ten minutes that a command lives."""
    copy = made()
    assert take(commands, copy, 0, UTC) == WANTED
    again = Commands([CENTRE.public_key()], "gw-1", EPOCH, b"another.")
    assert take(again, copy, 0, UTC + 1) == []
    assert again.refused == {"start": 1}
    assert take(again, made(start=b"another."), 0, UTC + 1) == WANTED


def test_expired_by_our_clock_where_it_is_known(commands) -> None:
    assert take(commands, made(), 0, UTC + LIFE_US + 1) == []
    assert commands.refused == {"expired": 1}
    assert take(commands, made(), 0, UTC + LIFE_US) == WANTED


def test_expired_by_the_centres_clock_where_ours_is_not(commands) -> None:
    """A receipt said what time it was there; a later word of an earlier time does not turn it back."""
    commands.heard(UTC, 50 * S)
    commands.heard(UTC - 10**9, 60 * S)
    late = 50 * S + (LIFE_US + 1) * 1000
    assert take(commands, made(), late, None) == []
    assert commands.refused == {"expired": 1}
    assert take(commands, made(1), late, None) == WANTED


def test_not_more_often_than_every_few_seconds(commands) -> None:
    least = int(COMMAND_LEAST_S * S)
    assert take(commands, made(), 0, None) == WANTED
    assert take(commands, made(1), least - 1, None) == []
    assert take(commands, made(1), least, None) == WANTED, "refused for haste it was not, so it may come again"
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
    receipts = Receipts([CENTRE.public_key()], "gw-1", OneStart())
    said = [held(EPOCH, 2, [(0, 4)])]
    assert receipts.take(sign_receipt(CENTRE, "gw-1", told(UTC, said))) == said
    receipts.asked(UTC + 5)
    assert receipts.take(sign_receipt(CENTRE, "gw-1", told(UTC + 4, said))) == []
    assert receipts.refused["stale"] == 1
    assert receipts.take(sign_receipt(CENTRE, "gw-1", told(UTC + 5, said))) == said
    assert receipts.utc == UTC + 5


SAID = [
    Resend(WANTED),
    SetPolicy(250, "ask"),
    SetPolicy(),
    Rotate(bytes(DIRECTORY_LIMIT_BYTES)),
    CollectBundle(),
    Update("0.10.1", "https://example.org/a.img", bytes(32), "0.9"),
]


@pytest.mark.parametrize("said", SAID, ids=lambda said: type(said).__name__)
def test_each_verb_goes_as_it_came(commands, said) -> None:
    made = Command(UTC, UTC + LIFE_US, EPOCH, START, NONCE, said)
    assert commands.take(sign(CENTRE, "gw-1", made), 0, None) == made


def test_the_list_of_verbs_is_closed() -> None:
    """Another verb is another decision (REQUIREMENTS CEN-08): none opens a shell, none reaches a device."""
    assert set(command.VERBS.values()) == {"resend", "set-policy", "rotate", "collect-bundle", "update"}
    assert set(get_args(command.Said)) == set(command.VERBS)


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("name", ["obeying", "policy", "diagnosis", "uplink/commands", "uplink/errands"])
def test_the_command_room_reaches_no_device_and_no_shell(name: str) -> None:
    words = imported(Path(command.__file__).parents[1] / "agent" / f"{name}.py")
    banned = ("agent.ports", "agent.sessions", "agent.listening", "agent.discovery", "agent.radio", "drivers")
    assert not {word for word in words if word.startswith((*banned, "subprocess", "socket", "serial", "pty", "ctypes"))}


def test_what_is_refused_is_told_and_answered_now_and_then(commands) -> None:
    told: list[tuple[str, bytes]] = []
    commands.on_refused = lambda reason, why, nonce: told.append((reason, nonce))
    newer = raw([UTC, UTC + LIFE_US, EPOCH, START, NONCE, [6]])
    for data in (made(signer=STRANGER), made(epoch=EPOCH + 1), newer, newer, made(), made()):
        commands.take(data, 0, None)
    silent = [("signature", b""), ("epoch", b"")]
    assert told == [*silent, ("malformed", NONCE), ("malformed", b""), ("replayed", b"")]
    commands.take(made(1), int(COMMAND_LEAST_S * S), UTC + LIFE_US + 2)
    assert told[-1] == ("expired", NONCE)


def test_waves_that_wait_go_once_they_are_named() -> None:
    flow = Flow(Limits())
    flow.up(Terms(), 0)
    flow.let_waves(wait=True, now=0)
    flow.offer(Parcel(Lane.LIVE, Class.WAVE, EPOCH, 0, 0, bytes(10)), 0)
    sent: list[Parcel] = []
    flow.step(0, lambda parcel: sent.append(parcel) or len(sent), lambda: 0)
    assert [parcel.seq for parcel in sent] == [0], "what is live goes as ever"

    def goes(cls: Class, epoch: int, seq: int) -> bool:
        return not flow.busy(0)(cls, epoch, seq)

    assert not goes(Class.WAVE, EPOCH, 5)
    assert goes(Class.VITAL, EPOCH, 5)
    assert goes(Class.WAVE, -1, 5), "what is relayed for another gateway nobody can name"
    flow.lacked(Wanted(EPOCH, Class.WAVE, [(4, 6)]), 0)
    assert [goes(Class.WAVE, EPOCH, seq) for seq in (3, 4, 6, 7)] == [False, True, True, False]
    flow.let_waves(wait=False, now=0)
    assert goes(Class.WAVE, EPOCH, 3)


def test_every_flipped_bit_and_every_cut_is_refused() -> None:
    data = made()
    broken = [data[:at] for at in range(len(data))]
    broken += [data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :] for at in range(len(data)) for bit in range(8)]
    for one in broken:
        with pytest.raises(CommandError):
            read(CENTRE.public_key(), "gw-1", one)
    assert read(CENTRE.public_key(), "gw-1", data).said.wanted == WANTED


def test_an_old_and_a_new_key_of_the_centre_command_side_by_side() -> None:
    commands = Commands([STRANGER.public_key(), CENTRE.public_key()], "gw-1", EPOCH, START)
    assert take(commands, made(), 0, None) == WANTED
    assert take(commands, made(1, signer=STRANGER), 10 * S, None) == WANTED
    commands.centres = [CENTRE.public_key()]
    assert take(commands, made(2, signer=STRANGER), 20 * S, None) == []
    assert take(commands, made(2), 20 * S, None) == WANTED
    assert commands.refused == {"signature": 1}
