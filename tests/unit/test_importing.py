"""Importing a dead gateway's backlog: all of it, once, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent import imported
from agent.cli import entry
from agent.importing import Host, ImportRefusedError, take
from agent.lab import keyring
from agent.spool import Spool, check_folder, read_folder
from tests.moving import OWN, exported, fill, imported_at, settle
from tests.sealed import Bedside, reading
from wire.export import Head, Writer
from wire.ranges import Ranges
from wire.topics import Address

ZEROS = bytes(8).hex()


@pytest.fixture
def dead(tmp_path: Path) -> tuple[Bedside, list[bytes], Path]:
    """(gateway, what it sealed, the exported file)."""
    bedside = Bedside("dead")
    made = fill(tmp_path / "dead", bedside)
    return bedside, made, exported(tmp_path / "dead", tmp_path / "stick")


def folders(state: Path) -> list[Path]:
    return [path for _, path in imported.waiting(state / "imported")]


def deliver(path: Path, but: tuple[int, int, int] = (0, 0, 0)) -> int:
    """As the daemon does once the centre has all, or all `but` one (class, epoch, seq)."""
    spool = Spool.open(path, {})
    for epoch, cls in spool.tails():
        last = but[2] - 1 if (cls, epoch) == but[:2] else 1 << 30
        spool.held(cls, epoch, [(0, last), (but[2] + 1, 1 << 30)])
    assert not any(chain.unheld_frames for chain in spool.stat().classes.values())
    spool.close()
    return imported.finish(path, spool.confirmed)


def test_what_was_exported_waits_here_as_a_spool_of_its_own(tmp_path, dead) -> None:
    bedside, made, stick = dead
    taken = imported_at(tmp_path / "b", stick)
    assert (taken.gateway, taken.envelopes, taken.known, taken.whole) == (bedside.gateway, 10, 0, 1)
    [path] = folders(tmp_path / "b")
    assert path.parent.name == bedside.gateway
    assert [stored.data for stored in read_folder(path)] == sorted(made, key=lambda data: data[1])
    assert [problem for problem in check_folder(path) if "epoch" not in problem] == []
    Spool.open(path, {}).close()
    assert check_folder(path) == []


def test_the_same_backlog_is_never_there_twice(tmp_path, dead) -> None:
    _, _, stick = dead
    assert imported_at(tmp_path / "b", stick).envelopes == 10
    again = imported_at(tmp_path / "b", stick)
    assert (again.envelopes, again.known) == (0, 10)
    [path] = folders(tmp_path / "b")
    assert deliver(path) == 0
    assert folders(tmp_path / "b") == []
    after = imported_at(tmp_path / "b", stick)
    assert (after.envelopes, after.known, folders(tmp_path / "b")) == (0, 10, [])


def test_a_second_export_brings_only_what_is_new(tmp_path, dead) -> None:
    bedside, _, stick = dead
    imported_at(tmp_path / "b", stick)
    fill(tmp_path / "dead", Bedside("dead", epoch=2))
    taken = imported_at(tmp_path / "b", exported(tmp_path / "dead", tmp_path / "later"))
    assert (taken.envelopes, taken.known) == (10, 10)
    assert len(folders(tmp_path / "b")) == 2
    assert set(imported.known(tmp_path / "b" / "imported", bedside.gateway)) == {
        (cls, epoch, ZEROS) for cls in (0, 1, 2) for epoch in (1, 2)
    }


def test_what_was_held_already_makes_holes_and_drains(tmp_path) -> None:
    fill(tmp_path / "dead", Bedside("dead"), readings=20)
    settle(tmp_path / "dead", 1, 1, 3, 7)
    settle(tmp_path / "dead", 1, 1, 9, 9)
    imported_at(tmp_path / "b", exported(tmp_path / "dead", tmp_path / "stick"))
    [path] = folders(tmp_path / "b")
    spool = Spool.open(path, {})
    drained = [stored for stored in spool.backlog(1 << 20, lambda *_: False) if stored.cls == 1]
    assert [stored.seq for stored in drained] == [0, 1, 2, 8, *range(10, 20)]
    spool.close()
    assert deliver(path) == 0


def test_a_large_backlog_takes_several_segments(tmp_path) -> None:
    made = fill(tmp_path / "dead", Bedside("dead"), bulky=30)
    taken = imported_at(tmp_path / "b", exported(tmp_path / "dead", tmp_path / "stick"))
    [path] = folders(tmp_path / "b")
    assert taken.envelopes == len(made)
    assert len(list(path.glob("2-*.seg"))) > 1
    spool = Spool.open(path, {})
    assert sum(chain.unheld_frames for chain in spool.stat().classes.values()) == len(made)
    spool.close()


def refused(tmp_path: Path, file: Path, why: str, hint: str, address: Address = OWN) -> None:
    with pytest.raises(ImportRefusedError, match=why) as raised:
        imported_at(tmp_path / "b", file, address)
    assert hint in raised.value.hint
    assert folders(tmp_path / "b") == []
    assert list((tmp_path / "b" / "imported").glob("*/*")) == [], "nothing is left behind"


def test_a_file_of_another_site_is_refused(tmp_path, dead) -> None:
    refused(tmp_path, dead[2], "of the site north", "at a gateway of north", Address("south", OWN.gateway))


def test_a_gateways_own_backlog_is_refused(tmp_path, dead) -> None:
    refused(tmp_path, dead[2], "own backlog", "nothing is to be done", dead[0].address)


@pytest.mark.parametrize("at", [3, 200, 1000, -30], ids=["head", "early", "middle", "end"])
def test_a_flipped_bit_is_refused_and_costs_one_record_of_a_partial_import(tmp_path, dead, at: int) -> None:
    data = bytearray(dead[2].read_bytes())
    data[at] ^= 4
    dead[2].write_bytes(data)
    refused(tmp_path, dead[2], "stick: ", "--partial")
    taken = imported_at(tmp_path / "b", dead[2], partial=True)
    assert not taken.whole
    assert taken.envelopes >= 9
    assert len(taken.faults) == 1


def test_a_file_that_breaks_off_is_refused_or_taken_as_far_as_it_goes(tmp_path, dead) -> None:
    bedside, _, stick = dead
    whole = stick.read_bytes()
    (tmp_path / "short").write_bytes(whole[: len(whole) * 2 // 3])
    refused(tmp_path, tmp_path / "short", "breaks off", "--partial")
    part = imported_at(tmp_path / "b", tmp_path / "short", partial=True)
    assert 0 < part.envelopes < 10
    assert part.end is None
    rest = imported_at(tmp_path / "b", stick)
    assert (rest.envelopes, rest.known) == (10 - part.envelopes, part.envelopes)
    known = imported.known(tmp_path / "b" / "imported", bedside.gateway)
    assert known == {(cls, 1, ZEROS): Ranges([(0, last)]) for cls, last in ((0, 1), (1, 4), (2, 2))}


def forged(file: Path, head: Head, envelopes: list[bytes]) -> Path:
    with file.open("wb") as out:
        writer = Writer(out.write, head)
        for data in envelopes:
            writer.add(data)
        writer.end([], 0)
    return file


def test_what_another_gateway_signed_is_refused(tmp_path, dead) -> None:
    bedside, made, _ = dead
    stranger = Bedside("stranger")
    theirs = [stranger.grant().data, stranger.vital(reading(1)).data]
    as_ours = forged(tmp_path / "id", Head(1, bedside.gateway, "north", theirs[0], 1), theirs)
    refused(tmp_path, as_ours, "not who signed it", "altered")
    mixed = forged(tmp_path / "mix", Head(1, bedside.gateway, "north", made[0], 1), theirs)
    refused(tmp_path, mixed, "is not a statement of", "--partial")
    taken = imported_at(tmp_path / "b", mixed, partial=True)
    assert (taken.envelopes, taken.refused) == (1, 1), "whose a sealed one is, only the centre can tell"


def test_a_file_without_proof_must_be_vouched_for(tmp_path, dead) -> None:
    bedside, made, _ = dead
    file = forged(tmp_path / "bare", Head(1, bedside.gateway, "", b"", 1), [made[1]])
    refused(tmp_path, file, "nothing in it proves", "--partial")
    assert imported_at(tmp_path / "b", file, partial=True).envelopes == 1


def test_an_id_that_is_a_path_is_refused(tmp_path, dead) -> None:
    file = forged(tmp_path / "path", Head(1, "../../../etc", "", b"", 1), [dead[1][1]])
    with pytest.raises(ImportRefusedError, match="no id of a gateway"):
        imported_at(tmp_path / "b", file, partial=True)


def test_numbers_that_are_doubled_or_absurd_are_refused(tmp_path, dead) -> None:
    bedside, made, _ = dead
    head = Head(1, bedside.gateway, "north", made[0], 1)
    refused(tmp_path, forged(tmp_path / "twice", head, [made[1], made[1]]), "not in order", "--partial")
    absurd = made[1][:4] + b"\xff\xff\xff\xff" + made[1][8:]
    refused(tmp_path, forged(tmp_path / "absurd", head, [absurd]), "no gateway reaches", "--partial")


def test_our_own_spool_keeps_its_room(tmp_path, dead) -> None:
    with pytest.raises(ImportRefusedError, match="no room") as raised:
        take(dead[2], Host(OWN, tmp_path / "b", 1 << 60), partial=False)
    assert "quotas" in raised.value.hint


def test_an_import_that_broke_off_is_worth_nothing(tmp_path, dead) -> None:
    bedside, _, stick = dead
    left = tmp_path / "b" / "imported" / bedside.gateway / "0001.new"
    left.mkdir(parents=True)
    (left / imported.NAMES).write_text("half")
    assert folders(tmp_path / "b") == []
    assert imported_at(tmp_path / "b", stick).envelopes == 10
    assert not left.exists()


def test_what_the_disk_lost_here_may_be_imported_again(tmp_path, dead) -> None:
    _, made, stick = dead
    imported_at(tmp_path / "b", stick)
    [path] = folders(tmp_path / "b")
    segment = next(path.glob("1-*.seg"))
    data = segment.read_bytes()
    at = data.index(made[3]) + 20
    segment.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    spool = Spool.open(path, {})
    spool.backlog(1 << 20, lambda *_: False)
    spool.close()
    assert deliver(path, (1, 1, 2)) == 1
    again = imported_at(tmp_path / "b", stick)
    assert (again.envelopes, again.known) == (1, 9)


def test_the_command_says_what_it_did_and_what_is_to_be_done(tmp_path, dead, capsys) -> None:
    bedside, _, stick = dead
    ring = keyring.make(tmp_path / "keys")
    config = tmp_path / "gateway.toml"
    config.write_text(
        f'site = "north"\nbroker = "mqtts://localhost"\nkeys = "{ring.gateway}"\nstate = "{tmp_path / "b"}"\n'
        "[spool]\nkey_mib = 8\nvital_mib = 8\nwave_mib = 8\n"
    )
    words = ["spool", "import", str(stick), "--config", str(config)]
    capsys.readouterr()
    assert entry.main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["gateway"], said["envelopes"], said["whole"]) == (bedside.gateway, 10, 1)
    assert entry.main(words) == 1
    told = capsys.readouterr()
    assert told.err.startswith("error: nothing new: all 10 envelopes were imported here before\n\nhint: ")
    assert told.out == ""
    stick.write_bytes(b"something else")
    assert entry.main(words) == 1
    assert "hint: " in capsys.readouterr().err
