"""The figures of endurance: the fits are right, a day of the simulation is a day, what grows is seen."""

import os
from pathlib import Path

import pytest

from agent import identity
from agent.lab import keyring
from agent.spool import Stored
from bench import backlog, backlog_figures, card, growth, results, soak, spool_figures
from bench.soak import Look
from wire.topics import Class

MINUTE = 60.0


def looks(rss, fds=lambda at: 59, minutes=30, every_s=30.0):
    """Looks at a process whose memory and files are functions of the time in seconds."""
    times = [index * every_s for index in range(round(minutes * 60 / every_s) + 1)]
    return [Look(at, rss(at), fds(at), 4) for at in times]


def figures(some):
    return {figure.name: figure.value for figure in some}


def test_a_slope_is_fitted():
    assert soak.slope([(0, 1.0), (1, 3.0), (2, 5.0)]) == pytest.approx(2.0)
    assert soak.slope([(0, 5.0), (1, 4.9), (2, 5.1), (3, 5.0)]) == pytest.approx(0.02)
    assert soak.slope([(3, 1.0), (3, 9.0)]) == 0
    assert soak.slope([]) == 0


def test_the_beginning_is_not_judged_and_what_grows_after_it_is():
    settles = looks(lambda at: 60.0 - 10 * max(0.0, 1 - at / 290))
    assert figures(soak.judged(settles, ""))["soak.rss_slope"] == pytest.approx(0, abs=0.001)
    leaks = looks(lambda at: 60.0 + 1.5 * at / 3600)
    assert figures(soak.judged(leaks, ""))["soak.rss_slope"] == pytest.approx(1.5)
    assert [line.split()[1] for line in results.missed(list(soak.judged(leaks, "")), soak.BARS)] == ["soak.rss_slope"]


def test_a_file_that_is_open_for_a_moment_is_no_growth_and_one_that_stays_is():
    def moment(at: float) -> int:
        return 60 if at % 300 == 0 else 59

    assert figures(soak.judged(looks(lambda _: 60.0, moment), ""))["soak.fds_grown"] == 0
    stays = looks(lambda _: 60.0, lambda at: 59 + int(at // 600))
    assert figures(soak.judged(stays, ""))["soak.fds_grown"] == 2
    assert len(results.missed(list(soak.judged(stays, "")), soak.BARS)) == 1


def test_a_look_at_a_process_counts_what_it_has():
    here = soak.look(os.getpid(), 0.0)
    with Path("/proc/self/stat").open():
        assert soak.look(os.getpid(), 0.0).fds == here.fds + 1
    assert here.threads >= 1
    assert here.rss_mib > 1


def test_simulated_time_delivers_everything_outage_or_not(monkeypatch):
    monkeypatch.setattr(growth, "DAY_S", 200)
    monkeypatch.setattr(growth, "OUTAGE_S", (50, 130))
    seen = list(growth.grow(1.0, 40))
    assert [day for day, _, _ in seen] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert [left > 50 for _, _, left in seen] == [False, False, True, True, False, False]
    assert seen[-1][2] <= 10  # what came since the last receipt


def test_the_bed_recycles_segments_and_counts_its_commits(tmp_path, monkeypatch):
    monkeypatch.setattr(spool_figures, "WAVE_BYTES", 400_000)  # a segment in eleven beats
    bed = spool_figures.Bed(tmp_path)
    while bed.beats < 40:
        bed.beat()
    stat = bed.spool.stat().classes[Class.WAVE]
    assert stat.segments * spool_figures.SEGMENT_BYTES == spool_figures.QUOTAS[Class.WAVE]
    assert stat.evicted_frames == 0
    assert bed.commits == 81
    bed.spool.close()


def test_what_a_card_wrote_is_a_difference():
    assert card.Traffic(7, 4096, 3).since(card.Traffic(2, 512, 1)) == (5, 3584, 2)


def test_an_opened_backlog_is_timed_and_forgotten_files_are_still_whole(tmp_path):
    who = identity.load(keyring.make(tmp_path / "keys").gateway, receipts=True)
    made = backlog.make(who, tmp_path / "state", 1 / 60, quotas=backlog_figures.QUOTAS)
    folder = tmp_path / "state" / "spool"
    assert backlog_figures.open_s(folder, cold=True) > 0
    opened = backlog.Spool.open(folder, backlog_figures.QUOTAS)
    found: list[Stored] = []
    opened.export(found.append)
    assert len(found) == made.envelopes.total()
    opened.close()


def test_every_bar_is_of_a_figure_that_is_printed():
    said = {figure.name for figure in soak.judged(looks(lambda _: 60.0), "")} | {"soak.overrun"}
    assert set(soak.BARS) <= said
    assert {f"spool.disk_per_sealed{suffix}" for suffix in spool_figures.MOUNTS} & set(spool_figures.BARS)
    assert not set(soak.BARS) & set(results.BARS)
