"""What is lost on the disk is told to the centre, sealed and by name; what is only refused today is not."""

from __future__ import annotations

from pathlib import Path

from agent.spool import Spool
from tests.crash.faulty import FaultyFiles
from tests.crash.twin import FOLDER, full_folder, judge_damage, open_spool, reopened
from tests.crash.witness import names
from tests.unit.test_pulse import Heart
from wire.records import EnvelopeGap


class Refusing(FaultyFiles):
    """One file that cannot be opened while it is `refused`."""

    refused: Path | None = None

    def look(self, path: Path) -> int:
        if path == self.refused:
            raise OSError(5, "refused today")
        return super().look(path)


def owed_by(spool: Spool) -> set[tuple[int, int, int]]:
    return set().union(*(names(lost.cls, lost.epoch, lost.first, lost.last) for lost in spool.undeclared()))


def test_every_damaged_frame_is_in_a_sealed_statement_and_owed_until_that_is_durable() -> None:
    contents, witness = full_folder()
    path = FOLDER / "2-00001.seg"
    data = bytearray(contents[path])
    data[4096 + 100] ^= 1
    data[12288 + 100] ^= 1
    spool = reopened(contents, path, bytes(data))
    lost = judge_damage(spool, witness).damaged
    assert len(lost) == 2
    heart = Heart()
    heart.beat(0)
    owed = spool.undeclared()
    for one in owed:
        heart.pulse.lost(5, one.epoch, one.cls, [(one.first, one.last)], one.cause)
    said = heart.records(EnvelopeGap)  # sealed, sent, opened by a recipient
    damaged = [gap for gap in said if gap.cause == "damaged"]
    assert set().union(*(names(gap.cls, gap.epoch, gap.first, gap.last) for gap in damaged)) == lost
    assert lost <= owed_by(spool), "it stays owed until the statement is durable"
    spool.declared(owed)
    assert owed_by(spool) == set()


def test_a_file_that_is_refused_at_one_start_is_not_declared_lost_and_is_sent_at_the_next() -> None:
    contents, witness = full_folder()
    files = Refusing()
    for path, data in contents.items():
        files.put(path, data)
    files.refused = FOLDER / "0-00000.seg"  # with the grants, without which nothing can be read
    first = open_spool(files)
    assert [damage.place for damage in first.damage] == ["0-00000.seg"]
    assert not [lost for lost in first.undeclared() if lost.cls == 0]
    files.refused = None
    second = open_spool(files)
    grants = {name for name in witness.accepted if name[0] == 0}
    assert {(s.cls, s.epoch, s.seq) for s in second.backlog(1 << 30, lambda *_: False)} >= grants
