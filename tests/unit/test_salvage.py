"""What an export takes out of a spool, whatever state the card is in."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from agent.cli import entry
from agent.spool import Disk
from agent.spool.salvage import Salvage
from tests.moving import exported, fill, settle
from tests.sealed import Bedside
from wire import export
from wire.envelope import header_of
from wire.export import End, Head


def contents(file: Path) -> tuple[Head, list[bytes], End]:
    with file.open("rb") as source:
        head, _, *bodies, end = list(export.read(source))
    return head, [data for _, data in bodies], end


def test_only_what_is_not_held_is_moved_and_all_if_asked(tmp_path, capsys) -> None:
    bedside = Bedside()
    made = fill(tmp_path / "spool", bedside)
    settle(tmp_path / "spool", 0, 1, 0, 0)
    settle(tmp_path / "spool", 1, 1, 1, 3)
    head, bodies, end = contents(exported(tmp_path / "spool", tmp_path / "unheld"))
    assert (head.gateway, head.site, head.unheld) == (bedside.gateway, "north", 1)
    assert head.proof == made[0], "held or not, it says whose all this is"
    assert {(h.cls, h.seq) for h in map(header_of, bodies)} == {(0, 1), (1, 0), (1, 4), (2, 0), (2, 1), (2, 2)}
    assert (end.missing, end.unnamed) == ([], 0)
    _, bodies, _ = contents(exported(tmp_path / "spool", tmp_path / "all", "--all"))
    assert sorted(bodies) == sorted(made)
    capsys.readouterr()
    exported(tmp_path / "spool", tmp_path / "json", "--json")
    said = json.loads(capsys.readouterr().out)
    assert (said["gateway"], said["envelopes"], said["missing"]) == (bedside.gateway, 6, [])


def test_an_export_changes_nothing_and_needs_no_lock(tmp_path) -> None:
    from agent.spool import Spool
    from tests.moving import QUOTAS

    fill(tmp_path / "spool", Bedside())
    running = Spool.open(tmp_path / "spool", QUOTAS)
    before = {path.name: path.read_bytes() for path in (tmp_path / "spool").glob("*") if path.is_file()}
    exported(tmp_path / "spool", tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "spool").glob("*") if path.is_file()} == before
    running.close()


def damage(folder: Path, body: bytes) -> None:
    for path in folder.glob("*.seg"):
        data = path.read_bytes()
        if (at := data.find(body)) >= 0:
            path.write_bytes(data[: at + 20] + bytes([data[at + 20] ^ 1]) + data[at + 21 :])
            return
    pytest.fail("it is nowhere")


def test_what_a_card_has_lost_is_named(tmp_path, capsys) -> None:
    made = fill(tmp_path / "spool", Bedside())
    damage(tmp_path / "spool", made[3])  # vital 2
    damage(tmp_path / "spool", made[0])  # the grant: another statement proves the id
    head, bodies, end = contents(exported(tmp_path / "spool", tmp_path / "out"))
    assert sorted(bodies) == sorted(data for data in made if data not in (made[0], made[3]))
    assert end.missing == [(0, 1, 0, 0), (1, 1, 2, 2)]
    assert head.proof == made[-1]
    assert "missing: epoch 1 vital 2 to 2" in capsys.readouterr().out
    settle(tmp_path / "spool", 1, 1, 2, 2)
    assert contents(exported(tmp_path / "spool", tmp_path / "again"))[2].missing == [(0, 1, 0, 0)]


def test_damage_that_the_daemon_met_is_still_missing(tmp_path) -> None:
    """An open spool settles what it cannot read; nobody has it all the same."""
    from agent.spool import Spool
    from tests.moving import QUOTAS

    made = fill(tmp_path / "spool", Bedside())
    damage(tmp_path / "spool", made[3])
    spool = Spool.open(tmp_path / "spool", QUOTAS)
    spool.backlog(1 << 20, lambda *_: False)
    spool.close()
    assert (1, 1, 2, 2) in contents(exported(tmp_path / "spool", tmp_path / "out"))[2].missing


def test_a_torn_tail_is_missing_where_it_was_accepted(tmp_path) -> None:
    made = fill(tmp_path / "spool", Bedside())
    damage(tmp_path / "spool", made[8])  # the last wave; the acknowledgements know that it was there
    assert contents(exported(tmp_path / "spool", tmp_path / "out"))[2].missing == [(2, 1, 2, 2)]


class BadCard(Disk):
    """Refuses to read one file."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.bad: set[int] = set()

    def look(self, path: Path) -> int:
        fd = super().look(path)
        self.bad = self.bad | {fd} if path.name == self.name else self.bad - {fd}
        return fd

    def pread(self, fd: int, size: int, offset: int) -> bytes:
        if fd in self.bad:
            raise OSError(errno.EIO, "the card fails")
        return super().pread(fd, size, offset)


def test_a_file_the_card_refuses_costs_that_file(tmp_path) -> None:
    fill(tmp_path / "spool", Bedside())
    salvage = Salvage(tmp_path / "spool", unheld=True, files=BadCard("1-00000.seg"))
    assert {stored.cls for stored in salvage.frames()} == {0, 2}
    assert salvage.missing() == [(1, 1, 0, 4)]
    refused = Salvage(tmp_path / "spool", unheld=True, files=BadCard("acks"))
    assert len(list(refused.frames())) == 10, "without acknowledgements all is taken"


def test_a_spool_without_a_statement_must_be_named(tmp_path, capsys) -> None:
    fill(tmp_path / "spool", Bedside())
    for path in (tmp_path / "spool").glob("0-*.seg"):
        path.unlink()
    words = ["spool", "export", "--folder", str(tmp_path / "spool"), str(tmp_path / "out")]
    assert entry.main(words) == 1
    assert "--gateway ID" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert entry.main([*words, "--gateway", "a" * 20]) == 0
    assert contents(tmp_path / "out")[0] == Head(1, "a" * 20, "", b"", 1, [(1, bytes(8))])


def test_the_configuration_knows_site_and_folder(tmp_path) -> None:
    fill(tmp_path / "spool", Bedside())
    file = tmp_path / "gateway.toml"
    file.write_text(f'site = "south"\nbroker = "mqtts://localhost"\nstate = "{tmp_path}"\n')
    assert entry.main(["spool", "export", "--config", str(file), str(tmp_path / "out")]) == 0
    assert contents(tmp_path / "out")[0].site == "south"
