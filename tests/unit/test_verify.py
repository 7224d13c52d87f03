"""`wardlink verify`: an untouched day holds, and each way to touch it is named with its number."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.cli.entry import main
from agent.last_minutes import last_minutes
from agent.spool import Spool, Stored
from centre.counts import Counts
from centre.gate import Gate
from centre.ingest import Arrival, Ingest
from centre.store import Store
from wire import bundle, codec, statement
from wire.envelope import Header
from wire.export import Head, Writer
from wire.keys import RecipientSecret
from wire.records import Anchor, Block, EnvelopeGap, NumericAt
from wire.seal import Sealer
from wire.statement import Manifest, Sealed
from wire.topics import Address, Class

SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
FORGER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
OURS = RecipientSecret("x25519", bytes(range(32)))
KEY, VITAL, WAVE = Class
UTC_US = 1_800_000_000_000_000
HOUR_US = 3_600_000_000
SAMPLES = codec.encode(np.arange(20, dtype=np.int32)[None])
Envelopes = dict[tuple[int, Class, int], bytes]


def sealer(epoch: int = 1, nonce: bytes = bytes(8)) -> Sealer:
    return Sealer(SIGNER, [OURS.recipient], epoch, nonce)


GATEWAY = sealer().gateway


def put(into: Envelopes, *made: tuple[Header, bytes] | None) -> None:
    for header, data in filter(None, made):
        into[header.epoch, header.cls, header.seq] = data


def a_day(unlisted: int = 0) -> Envelopes:
    """Two epochs: the first with two hours of three manifests each, cut within a minute; the second says so."""
    out: Envelopes = {}
    first = sealer(1)
    for hour in range(2):
        put(out, first.begin_hour())
        for minute in range(3):
            for second in range(4):
                t = hour * HOUR_US + minute * 60_000_000 + second
                records = [Anchor(t, UTC_US + t, 500, "ntp")] if second == 0 else []
                put(out, first.seal(VITAL, bundle.pack_vital([*records, NumericAt(t, 0, 97)])))
                put(out, first.seal(WAVE, bundle.pack_wave([Block(t, 1, 1, 0, 20, SAMPLES)])))
            put(out, first.manifest())
    put(out, first.seal(VITAL, bundle.pack_vital([NumericAt(2 * HOUR_US, 0, 96)])))
    return second_start(out, unlisted)


def second_start(out: Envelopes, unlisted: int) -> Envelopes:
    manifests = [data for (_, cls, _), data in sorted(out.items()) if cls is KEY]
    leaf = hashlib.sha256(out[1, VITAL, 24]).digest()
    tail = Sealed(1, 24, 1, hashlib.sha256(leaf).digest())
    second = sealer(2)
    tails = [(1, 0, 8), (1, 1, 25), (1, 2, 24)]
    put(out, second.ended(tails, [statement.Recovered(1, hashlib.sha256(manifests[-1]).digest(), [tail])]))
    put(out, second.begin_hour())
    put(out, second.seal(VITAL, bundle.pack_vital([NumericAt(5, 0, 95)])))
    put(out, second.manifest())
    for _ in range(unlisted):
        put(out, second.seal(VITAL, bundle.pack_vital([NumericAt(6, 0, 95)])))
    return out


def exported(path: Path, envelopes: Iterable[bytes], unheld: int = 0) -> Path:
    with path.open("wb") as out:
        writer = Writer(out.write, Head(1, GATEWAY, "north", b"", unheld))
        for data in sorted(envelopes, key=lambda data: data[1]):
            writer.add(data)
        writer.end([], 0)
    return path


@pytest.fixture
def verify(tmp_path, capsys) -> Callable:
    """Runs it, with and without a key; (exit code, {(kind, epoch, class, first, last)} of what is wrong, the rest)."""
    key = tmp_path / "recipient.key"
    key.write_text(OURS.text())

    def run(source: object, *more: str, with_key: bool = False) -> tuple[int, set, dict]:
        code = main(["verify", str(source), "--json", *(["--key", str(key)] if with_key else []), *more])
        said = json.loads(capsys.readouterr().out)
        named = {(f["kind"], f["epoch"], f["class"], f["first"], f["last"]) for f in said["findings"] if f["wrong"]}
        assert said["holds"] is (not named) is (code == 0)
        return code, named, said

    return run


def kinds(said: dict, kind: str) -> list[tuple]:
    return [(f["epoch"], f["class"], f["first"], f["last"]) for f in said["findings"] if f["kind"] == kind]


@pytest.mark.parametrize("with_key", [False, True], ids=["sealed", "opened"])
def test_an_untouched_day_holds(tmp_path, verify, with_key: bool) -> None:
    code, wrong, said = verify(exported(tmp_path / "day", a_day(2).values()), with_key=with_key)
    assert (code, wrong) == (0, set())
    assert [(r["epoch"], r["class"], r["first"], r["last"], r["here"], r["proven"]) for r in said["sequences"]] == [
        (1, "key", 0, 7, 8, 8),
        (1, "vital", 0, 24, 25, 25),
        (1, "wave", 0, 23, 24, 24),
        (2, "key", 0, 2, 3, 3),
        (2, "vital", 0, 2, 3, 1),
    ]
    assert kinds(said, "unlisted") == [(2, "vital", 1, 2)], "what is not yet covered is named"
    assert kinds(said, "open") == [(2, "key", 3, 3)]
    assert said["opened"] == (52 if with_key else 0)


def flipped(day: Envelopes) -> None:
    data = bytearray(day[1, WAVE, 6])
    data[20] ^= 1
    day[1, WAVE, 6] = bytes(data)


def missing(day: Envelopes) -> None:
    del day[1, VITAL, 9]


def swapped(day: Envelopes) -> None:
    """The contents of two, each under the header of the other."""
    one, other = day[1, VITAL, 5], day[1, VITAL, 6]
    day[1, VITAL, 5], day[1, VITAL, 6] = one[:12] + other[12:], other[:12] + one[12:]


def replayed(day: Envelopes) -> None:
    """An old reading said again as a new one."""
    old, new = day[1, VITAL, 1], day[1, VITAL, 14]
    day[1, VITAL, 14] = new[:12] + old[12:]


def forged(day: Envelopes) -> None:
    header, said = statement.read(GATEWAY, day[1, KEY, 2])
    assert isinstance(said, Manifest)
    day[1, KEY, 2] = statement.sign(FORGER, GATEWAY, header, said)


def resigned(day: Envelopes) -> None:
    """A manifest that the gateway signed, for another day, under this number."""
    header, said = statement.read(GATEWAY, day[1, KEY, 2])
    assert isinstance(said, Manifest)
    day[1, KEY, 2] = statement.sign(SIGNER, GATEWAY, header, Manifest(bytes(range(32)), said.sealed, said.nonce))


def truncated(day: Envelopes) -> None:
    for seq in range(20, 24):
        del day[1, WAVE, seq]


def no_manifests(day: Envelopes) -> None:
    """The end of an epoch cut off, with the statements about it."""
    del day[1, VITAL, 24]
    for seq in (6, 7):
        del day[1, KEY, seq]


TOUCHED = [  # how, named without a key, named with one
    (flipped, {("altered", 1, "wave", 4, 7)}, {("altered", 1, "wave", 6, 6)}),
    (missing, {("missing", 1, "vital", 9, 9)}, {("missing", 1, "vital", 9, 9)}),
    (swapped, {("altered", 1, "vital", 4, 7)}, {("altered", 1, "vital", 5, 5), ("altered", 1, "vital", 6, 6)}),
    (replayed, {("altered", 1, "vital", 12, 15)}, {("altered", 1, "vital", 14, 14)}),
    (forged, {("forged", 1, "key", 2, 2)}, {("forged", 1, "key", 2, 2)}),
    (resigned, {("chain", 1, "key", 2, 2), ("chain", 1, "key", 3, 3)}, None),
    (truncated, {("missing", 1, "wave", 20, 23)}, {("missing", 1, "wave", 20, 23)}),
    (no_manifests, {("missing", 1, "key", 6, 7), ("missing", 1, "vital", 24, 24)}, None),
]


@pytest.mark.parametrize(("touch", "sealed", "opened"), TOUCHED, ids=[row[0].__name__ for row in TOUCHED])
def test_each_touch_is_named(tmp_path, verify, touch: Callable, sealed: set, opened: set | None) -> None:
    day = a_day()
    touch(day)
    file = exported(tmp_path / "day", day.values())
    assert verify(file)[:2] == (1, sealed)
    assert verify(file, with_key=True)[:2] == (1, opened or sealed)


def test_two_under_one_number_are_named(tmp_path, verify) -> None:
    day = a_day()
    other = sealer(1, b"restored")
    again: Envelopes = {}
    put(again, other.begin_hour(), other.seal(VITAL, bundle.pack_vital([NumericAt(9, 0, 50)])))
    file = exported(tmp_path / "day", [*day.values(), *again.values()])
    assert verify(file)[1] == {("twice", 1, "key", 0, 0), ("twice", 1, "vital", 0, 0)}


def test_what_was_declared_lost_holds_where_it_can_be_read(tmp_path, verify) -> None:
    day = a_day()
    del day[1, WAVE, 3]
    third = sealer(3)
    put(day, third.begin_hour())
    put(day, third.seal(VITAL, bundle.pack_vital([EnvelopeGap(5, 1, 2, 3, 3, "evicted")])), third.manifest())
    file = exported(tmp_path / "day", day.values())
    assert verify(file)[1] == {("missing", 1, "wave", 3, 3)}, "the word of it is sealed"
    code, _, said = verify(file, with_key=True)
    assert code == 0
    assert [(f["first"], f["why"]) for f in said["findings"] if f["kind"] == "lost"] == [(3, "evicted")]
    assert kinds(said, "not provable") == [(1, "wave", 0, 2)], "its neighbours are listed together with it"


def test_a_window_of_time_and_an_epoch(tmp_path, verify) -> None:
    day = a_day()
    flipped(day)
    file = exported(tmp_path / "day", day.values())
    hour = "2027-01-15T08:00"  # as UTC_US
    code, wrong, said = verify(file, "--since", hour, with_key=True)
    assert {(r["class"], r["first"], r["last"]) for r in said["sequences"]} == {("vital", 0, 24), ("wave", 0, 23)}
    assert (code, wrong) == (1, {("altered", 1, "wave", 6, 6)})
    code, _, said = verify(file, "--since", "2027-01-15T09:00", "--until", "2027-01-15T09:01", with_key=True)
    assert code == 0
    assert {(r["class"], r["first"], r["last"], r["proven"]) for r in said["sequences"]} == {
        ("vital", 12, 15, 4),
        ("wave", 12, 15, 4),
    }
    assert verify(file, "--epoch", "2")[0] == 0
    assert verify(file, "--epoch", "1")[0] == 1


def test_questions_that_cannot_be_answered(tmp_path, capsys) -> None:
    file = exported(tmp_path / "day", a_day().values())
    for more, why in (
        (["--since", "2027-01-15"], "without a key"),
        (["--epoch", "9"], "nothing was sealed then"),
        (["--gateway", "other"], "is of"),
        (["--key", str(file)], "not UTF-8"),
    ):
        assert main(["verify", str(file), *more]) == 1
        assert why in capsys.readouterr().err
    (tmp_path / "noise").write_bytes(bytes(100))
    assert main(["verify", str(tmp_path / "noise")]) == 1
    assert "no file of `wardlink spool export`" in capsys.readouterr().err
    assert main(["verify", f"sqlite:///{tmp_path}/none"]) == 1
    assert "no store" in capsys.readouterr().err


def test_a_file_that_was_cut_or_damaged_says_so(tmp_path, verify) -> None:
    file = exported(tmp_path / "day", a_day().values())
    whole = file.read_bytes()
    file.write_bytes(whole[:-10])
    _, wrong, said = verify(file)
    assert {kind for kind, *_ in wrong} == {"damaged"}
    assert any("no end" in finding["why"] for finding in said["findings"])
    file.write_bytes(whole[:-2000] + b"\0" + whole[-1999:])
    assert "damaged" in {kind for kind, *_ in verify(file)[1]}


def test_a_file_of_what_the_centre_lacks_is_judged_as_that(tmp_path, verify) -> None:
    day = a_day()
    truncated(day)
    code, _, said = verify(exported(tmp_path / "day", day.values(), unheld=1))
    assert code == 0
    assert kinds(said, "elsewhere") == [(1, "wave", 20, 23)]


def test_a_table_that_a_person_reads(tmp_path, capsys) -> None:
    day = a_day()
    truncated(day)
    assert main(["verify", str(exported(tmp_path / "day", day.values()))]) == 1
    out = capsys.readouterr().out
    assert "missing: epoch 1 wave 20 to 23: they were sealed, are not here, and nothing here says why" in out
    assert out.endswith("NOT PROVEN: 1 things are wrong, named above\n")


class Card:
    """The day in the spool of a gateway, and the next start after a cut."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for epoch in (1, 2):
            spool = Spool.open(folder, dict.fromkeys((0, 1, 2), 8 << 20))
            made = sealer(epoch)
            tails = sorted((was, cls, following) for (was, cls), following in spool.tails().items())
            envelopes = [made.ended(tails, last_minutes(spool, GATEWAY))] if tails else []
            envelopes.append(made.begin_hour())
            envelopes += [made.seal(VITAL, bundle.pack_vital([NumericAt(n, 0, n)])) for n in range(5)]
            envelopes += [made.manifest()]
            envelopes += [made.seal(VITAL, bundle.pack_vital([NumericAt(n, 0, n)])) for n in range(2)]
            for header, data in filter(None, envelopes):
                spool.append(Stored(int(header.cls), header.epoch, header.hour, header.seq, data))
                spool.commit()
            if epoch == 2:
                spool.held(int(VITAL), 1, [(0, 3)])
            spool.close()

    def segment(self) -> Path:
        return next(self.folder.glob("1-*.seg"))


def test_a_spool_is_proven_to_the_last_envelope_before_a_cut(tmp_path, verify) -> None:
    code, _, said = verify(Card(tmp_path / "spool").folder, with_key=True)
    assert code == 0
    assert [(r["epoch"], r["class"], r["here"], r["proven"]) for r in said["sequences"]] == [
        (1, "key", 2, 2),
        (1, "vital", 7, 7),
        (2, "key", 3, 3),
        (2, "vital", 7, 5),
    ]


def test_a_flipped_bit_on_a_card_is_named(tmp_path, verify) -> None:
    card = Card(tmp_path / "spool")
    data = bytearray(card.segment().read_bytes())
    at = data.find(b"WLfr", data.find(b"WLfr") + 1)  # the second frame
    data[at + 60] ^= 1
    card.segment().write_bytes(data)
    code, wrong, said = verify(card.folder)
    assert (code, wrong) == (0, set()), "the centre had confirmed it"
    assert kinds(said, "elsewhere") == [(1, "vital", 1, 1)]
    for _ in range(5):
        at = data.find(b"WLfr", at + 1)
    data[at + 60] ^= 1  # the seventh, which nobody has
    card.segment().write_bytes(data)
    assert verify(card.folder)[1] == {("damaged", 1, "vital", 6, 6)}


class Room:
    """A centre's store that was told envelopes."""

    def __init__(self, folder: Path, envelopes: Envelopes) -> None:
        self.url = f"sqlite:///{folder}/centre.db"
        store = Store(self.url)
        address = Address("north", GATEWAY)
        ingest = Ingest(store, Gate({GATEWAY: "north"}), [OURS], Counts())
        for place in sorted(envelopes):
            ingest.take([Arrival(address, place[1].word, envelopes[place], UTC_US)])
        store.close()


def test_the_centres_store_is_proven_by_what_it_kept(tmp_path, verify) -> None:
    room = Room(tmp_path, a_day())
    code, _, said = verify(room.url)
    assert code == 0
    assert sum(r["here"] for r in said["sequences"]) == sum(r["proven"] for r in said["sequences"]) == 61
    with sqlite3.connect(tmp_path / "centre.db") as database:
        database.execute("delete from envelope where cls = 2 and seq = 3")
        database.execute("update envelope set digest = x'00' where cls = 1 and seq = 5 and epoch = 1")
    assert verify(room.url, "--gateway", GATEWAY)[1] == {("missing", 1, "wave", 3, 3), ("altered", 1, "vital", 4, 7)}
    with sqlite3.connect(tmp_path / "centre.db") as database:
        database.execute("delete from statement where seq = 4 and epoch = 1")
    assert ("missing", 1, "key", 4, 4) in verify(room.url)[1]
