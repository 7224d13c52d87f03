"""Commands of people at the centre: read from words, kept as rows, sent to who is there, answered by who was asked."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from centre import desk
from centre.asking import Asking
from centre.desk import DeskError
from centre.gate import Gate
from centre.ingest import Arrival
from centre.ledger import Start
from centre.live import Live
from centre.ordering import LOOK_S, SPACE_S, Ordering
from centre.store import orders
from centre.web.app import make_app
from tests.sealed import RECEIVED, Bedside
from tests.system.page_caller import ask
from tests.told import START
from tests.unit.test_ingest import Centre
from wire import command, reply
from wire.audit import Head
from wire.command import CollectBundle, Command, Resend, Rotate, SetPolicy, Update, Wanted
from wire.records import AuditHead
from wire.reply import PIECE_LIMIT_BYTES, Answer, Piece
from wire.topics import Address, Class

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(32))
ONE, TWO = b"nonce  1", b"nonce  2"
MINUTE_US = 60_000_000


def key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("collect-bundle", CollectBundle()),
        ("set-policy default", SetPolicy()),
        ("set-policy interval_s=0.25", SetPolicy(250)),
        ("set-policy waves=ask interval_s=10", SetPolicy(10_000, "ask")),
        ("resend wave 7 3-9,12", Resend([Wanted(7, Class.WAVE, [(3, 9), (12, 12)])])),
        (f"update 1.2.3 https://x.org/a {'ab' * 32}", Update("1.2.3", "https://x.org/a", b"\xab" * 32, "0.0")),
        (f"update 1.2.3 https://x.org/a {'ab' * 32} 1.1", Update("1.2.3", "https://x.org/a", b"\xab" * 32, "1.1")),
    ],
)
def test_words_become_a_command(words: str, said: command.Said) -> None:
    assert desk.read(words.split()) == said


@pytest.mark.parametrize(
    "words",
    [
        *("", "reboot", "sh -c ls", "collect-bundle now", "set-policy", "set-policy interval_s=60", "set-policy x=1"),
        *("set-policy waves=never", "set-policy interval_s=nan", "resend wave 7", "resend state 7 1-2"),
        *("resend wave 7 9-3", "resend wave x 1-2", "rotate", "update 1.2", "update 1 https://x.org/a 00"),
        f"update 1.2 http://x.org/a {'ab' * 32}",
        f"update 1.2 https://x.org/a {'ab' * 32} 1.0 more",
    ],
)
def test_words_that_are_none_are_refused(words: str) -> None:
    with pytest.raises(DeskError) as told:
        desk.read(words.split())
    assert told.value.hint


def test_a_directory_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "directory"
    file.write_bytes(b"signed")
    assert desk.read(["rotate", str(file)]) == Rotate(b"signed")
    file.write_bytes(bytes(command.DIRECTORY_LIMIT_BYTES + 1))
    with pytest.raises(DeskError):
        desk.read(["rotate", str(file)])


class Bench:
    """A centre with two gateways, and the thread's part of sending."""

    def __init__(self, folder: Path) -> None:
        self.first, self.second = Bedside("first"), Bedside("second")
        gate = Gate({one.gateway: "north" for one in (self.first, self.second)})
        self.centre = Centre(f"sqlite:///{folder / 'centre.db'}", gate)
        self.store = self.centre.store
        self.centre.take(self.first.grant(), self.second.grant())
        self.asking = Asking()
        self.sent: list[tuple[Address, Command]] = []
        self.ordering = Ordering(self.store, SIGNER, self.asking, self.publish)
        self.now_s = 0.0

    def publish(self, address: Address, data: bytes) -> None:
        self.sent.append((address, command.read(SIGNER.public_key(), address.gateway, data)))

    def ask(self, nonce: bytes, said: command.Said, gateway: str = "") -> None:
        with self.store._writing() as connection:
            orders.add(connection, gateway or self.first.gateway, nonce, said, self.utc)

    @property
    def utc(self) -> int:
        return RECEIVED + int(self.now_s * 1e6)

    def step(self, later_s: float = LOOK_S) -> list[bytes]:
        """Nonces of what was sent."""
        self.now_s += later_s
        self.sent.clear()
        self.ordering.step(self.now_s, self.utc)
        return [one.nonce for _, one in self.sent]

    def hear(self, nonce: bytes, said: Answer | Piece, name: str = "first") -> None:
        data = reply.sign(key(name), nonce, said)
        address = self.first.address if name == "first" else self.second.address
        self.centre.take(Arrival(address, "reply", data, self.utc))

    def row(self):
        return self.store.orders(self.first.gateway, 9)[-1]


@pytest.fixture
def bench(tmp_path: Path):
    made = Bench(tmp_path)
    yield made
    made.store.close()


def test_a_command_waits_for_its_gateway_goes_again_until_answered_and_one_at_a_time(bench: Bench) -> None:
    bench.ask(ONE, SetPolicy(500))
    bench.now_s += 1
    bench.ask(TWO, CollectBundle())
    assert bench.step() == []
    bench.asking.present({bench.first.address: Start(4, b"")}, bench.now_s)
    assert bench.step() == [], "it does not say which start it is, so none can be named"
    bench.asking.present({bench.first.address: Start(4, START)}, bench.now_s)
    assert bench.step() == [ONE]
    (address, first), *_ = bench.sent
    assert (address, first.epoch, first.start, first.said) == (bench.first.address, 4, START, SetPolicy(500))
    assert bench.step() == []
    assert bench.step(61) == [ONE]
    assert bench.sent[0][1].issued > first.issued
    bench.hear(ONE, Answer("done", "well"))
    assert bench.step(SPACE_S) == [TWO]
    assert (bench.row().outcome, bench.row().text, bench.row().tries) == ("done", "well", 2)


def test_only_the_gateway_it_is_for_answers_and_strangers_answers_are_nothing(bench: Bench) -> None:
    bench.ask(ONE, CollectBundle())
    bench.hear(ONE, Answer("done", "not mine"), name="second")
    bench.hear(ONE, Piece(0, 1, b"x"), name="second")
    bench.hear(TWO, Answer("done", "never asked"))
    forged = reply.sign(key("second"), ONE, Answer("done", "forged"))
    bench.centre.take(Arrival(bench.first.address, "reply", forged, bench.utc))
    assert bench.centre.count("refused_reply") == 1
    assert (bench.row().outcome, bench.row().here) == ("", 0)


def test_nobody_answers_for_ever(bench: Bench) -> None:
    bench.ask(ONE, CollectBundle())
    bench.asking.present({bench.first.address: Start(4, START)}, bench.now_s)
    assert sum(len(bench.step(61)) for _ in range(20)) == orders.TRIES_LIMIT_COUNT
    assert (bench.row().outcome, bench.row().text) == ("failed", "the gateway did not answer")


def test_a_bundle_is_there_once_all_its_pieces_are(bench: Bench) -> None:
    bench.ask(ONE, CollectBundle())
    whole = bytes(range(256)) * 40
    pieces = [whole[at : at + PIECE_LIMIT_BYTES] for at in range(0, len(whole), PIECE_LIMIT_BYTES)]
    bench.hear(ONE, Piece(1, 2, pieces[1]))
    bench.hear(ONE, Piece(1, 2, pieces[1]))
    bench.hear(ONE, Piece(2, 3, b"of another file"))
    assert bench.store.bundle(bench.first.gateway, ONE) is None
    assert (bench.row().here, bench.row().pieces) == (1, 2)
    bench.hear(ONE, Piece(0, 2, pieces[0]))
    assert bench.store.bundle(bench.first.gateway, ONE) == whole
    assert bench.store.bundle(bench.second.gateway, ONE) is None


def test_waves_that_wait_are_not_asked_for_by_the_centre_itself(bench: Bench) -> None:
    here = bench.first
    here.plain(Class.WAVE, b"lost")
    here.vital(AuditHead(1, 1, bytes(32)))
    bench.centre.take(here.vital(AuditHead(2, 1, bytes(32))), here.manifest())
    assert {one.cls for one in bench.store.holes(here.gateway).wanted} == {Class.VITAL, Class.WAVE}
    bench.ask(ONE, SetPolicy(None, "ask"))
    assert {one.cls for one in bench.store.holes(here.gateway).wanted} == {Class.VITAL, Class.WAVE}
    bench.hear(ONE, Answer("done", ""))
    assert {one.cls for one in bench.store.holes(here.gateway).wanted} == {Class.VITAL}


def test_an_audit_log_that_was_cut_or_written_anew_is_seen(bench: Bench) -> None:
    here = bench.first
    assert bench.store.audit(here.gateway) is None

    def told(t: int, count: int, letter: int) -> tuple[int, str]:
        bench.centre.take(here.vital(AuditHead(t, count, bytes([letter]) * 32)))
        found = bench.store.audit(here.gateway)
        return found.count, found.problem

    assert told(1, 3, 1) == (3, "")
    assert told(2, 5, 2) == (5, "")
    assert told(3, 5, 2) == (5, "")
    assert told(4, 3, 1) == (5, "it had 5 entries, and has 3 since")
    assert told(5, 5, 3) == (5, "two logs say different things of the same entry")


def test_the_interface_tells_all_of_it(bench: Bench) -> None:
    bench.ask(ONE, CollectBundle())
    bench.hear(ONE, Answer("done", "1 byte \u202e"))
    bench.hear(ONE, Piece(0, 1, b"x"))
    bench.centre.take(bench.first.vital(AuditHead(1, 3, bytes(32))))
    app = make_app(bench.store, Live(bench.centre.counts))
    base = f"/api/beds/{bench.first.gateway}"
    [row] = ask(app, f"{base}/commands").json()["commands"]
    assert (row["nonce"], row["verb"], row["outcome"], row["here"]) == (ONE.hex(), "collect-bundle", "done", 1)
    assert "\u202e" not in row["text"]
    assert ask(app, f"{base}/audit").json()["head"] == Head(3, bytes(32)).text()
    assert ask(app, "/api/beds/nobody/audit").json()["head"] == ""
