"""What the harness answers becomes named figures, and bars that can be missed."""

from __future__ import annotations

import json

import pytest

from bench import figures, program_figures, results, workloads
from bench.results import Figure

A_RUN = {
    "lost": 0,
    "overrun": 0,
    "duplicates": 0,
    "corrupt": 0,
    "load1": 0.4,
    "lat_p50_ms": 552.49,
    "use": {"cpu_us": 26.7, "cpu_us_norm": 12.1, "wire_all": 7.9, "disk": 9.4, "rss_peak_mb": 57.2},
}
D_RUN = {
    "lost": 697,
    "overrun": 690,
    "duplicates": 0,
    "corrupt": 0,
    "before": {"lost": 0},
    "out_pre_kill": {"lost": 7, "overrun": 0},
    "down": {"lost": 361, "overrun": 361},
    "out_post_kill": {"lost": 329, "overrun": 329},
    "after": {"lost": 0},
    "resume_s": None,
    "use": {},
}


def values(found: list[Figure]) -> dict[str, float]:
    return {figure.name: figure.value for figure in found}


def figure(name: str, value: float) -> Figure:
    return Figure(name, value, "1", "measure it")


def test_an_answer_becomes_lines_with_units() -> None:
    lines = [one.line() for one in results.of_workload("A", [A_RUN], "")]
    for line in ("a.cpu 26.7 us/frame", "a.wire 7.9 B/frame", "a.disk 9.4 B/frame", "a.rss_peak 57.2 MiB"):
        assert line in lines
    assert "a.lost 0 frames" in lines
    assert not [line for line in lines if line.startswith("a.latency_p99")], "no figure where there is no number"


def test_an_oximeter_says_packets() -> None:
    assert "b.cpu 26.7 us/packet" in [one.line() for one in results.of_workload("B", [A_RUN], "")]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (0.2196, "0.2196"),
        (26.70, "26.7"),
        (552.49, "552.5"),
        (30231, "30231"),
        (1055.4, "1055"),
        (2.55, "2.55"),
    ],
)
def test_numbers_are_short(value: float, said: str) -> None:
    assert results.number(value) == said


def test_several_runs_give_the_median_but_the_worst_loss() -> None:
    runs = [A_RUN | {"lost": lost, "use": A_RUN["use"] | {"cpu_us": cpu}} for lost, cpu in ((0, 20), (3, 90), (0, 30))]
    found = values(results.of_workload("A", runs, ""))
    assert (found["a.cpu"], found["a.lost"]) == (30, 3)


def test_a_kill_is_told_in_parts() -> None:
    found = values(results.of_workload("D", [D_RUN], ""))
    assert found["d.lost_before_kill"] == 7
    assert found["d.lost_while_down"] == 361
    assert found["d.lost_of_read"] == 7
    assert "d.first_data_after" not in found


def test_a_ratio_needs_both() -> None:
    ours = results.of_workload("A", [A_RUN], "")
    theirs = results.of_peer("naive", "A", [{"use": {"cpu_us": 89.0}}], "")
    assert values(theirs) == {"a.naive.cpu": 89.0}
    assert [one.line() for one in results.ratio("naive", "A", ours + theirs, "")] == ["a.ratio_to_naive 0.3 1"]
    assert results.ratio("outbox-enc", "A", ours + theirs, "") == []


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("a.cpu", 30, 30.1),
        ("a.wire", 8.0, 8.1),
        ("b.disk", 20, 21),
        ("c.lost", 0, 1),
        ("c.overrun", 0, 1),
        ("c.duplicates", 0, 1),
        ("d.lost_before_kill", 500, 501),
        ("d.duplicates", 0, 1),
        ("rss8", 59.9, 60),
    ],
)
def test_a_bar_is_missed_above_it(name: str, good: float, bad: float) -> None:
    assert results.missed([figure(name, good)]) == []
    assert len(results.missed([figure(name, bad)])) == 1


def test_every_bar_is_on_a_figure_that_exists() -> None:
    shown = {f"{workload.lower()}.{name}" for workload, names in results.SHOWN.items() for name in names}
    alone = {"rss8", "rss8.overrun", "start_to_first_envelope"}
    assert {name for name in results.BARS if not name.startswith("links.")} <= shown | alone


def test_the_file_holds_values_units_and_commands() -> None:
    held = results.as_json([figure("a.cpu", 26.7)], ["codec.*"], {"old": {}}, date="2026-01-02", python="3.11")
    assert json.loads(json.dumps(held)) == {
        "date": "2026-01-02",
        "python": "3.11",
        "left_out": ["codec.*"],
        "figures": {
            "old": {},
            "a.cpu": {"value": 26.7, "unit": "1", "command": "measure it", "date": "2026-01-02"},
        },
    }


def test_what_fails_is_named_and_the_rest_goes_on(capsys) -> None:
    def breaks() -> list[Figure]:
        raise program_figures.FigureError("the gateway was not ready")

    gaps = figures.Gaps()
    parts = [("codec.*", "no folder"), ("start", breaks), ("tests", lambda: [figure("tests", 7)])]
    assert values(list(figures.measured(parts, gaps))) == {"tests": 7}
    assert (gaps.left_out, gaps.failed) == (["codec.*"], ["start"])
    assert capsys.readouterr().err == "left out: codec.*: no folder\nfailed: start: the gateway was not ready\n"


def test_without_records_and_harness_the_machine_is_still_measured(monkeypatch) -> None:
    monkeypatch.delenv("WARDLINK_RECORDS", raising=False)
    monkeypatch.delenv("WARDLINK_CORPUS", raising=False)
    can = {what for what, part in figures.parts(None, long=True) if not isinstance(part, str)}
    pure = {"lines.*", "tests", "decode_speed.*"}
    assert can == pure | {"start_to_first_envelope", "sealing.*", "clock.*", "spool.*", "backlog.*", "day.*", "links.*"}


def test_some_can_be_chosen() -> None:
    chosen = figures.chosen([("a.*", "x"), ("b.*", "x"), ("soak.*", "x")], ("soak", "a"))
    assert [what for what, _ in chosen] == ["a.*", "soak.*"]


def test_a_figure_that_must_be_large_is_missed_below() -> None:
    assert results.missed([figure("links.p1.drain.used", 81)]) == []
    assert results.missed([figure("links.p1.drain.used", 79)]) != []


def test_no_host_is_named() -> None:
    assert figures.machine(2, "x86_64") == "2-core x86-64 machine"


def test_a_choice_of_workloads_is_read() -> None:
    _, wish = workloads.read(["harness", "--only", "A,rss8", "--peers", "", "--seconds", "20", "--runs", "3"])
    assert (wish.only, wish.peers, wish.runs) == (("A", "rss8"), (), 3)
    assert [wish.length_s(kind) for kind in wish.only] == [20, 20]
    assert workloads.Wish().length_s("rss8") == 30
    with pytest.raises(SystemExit) as ended:
        workloads.read(["harness", "--only", "A,Z"])
    assert ended.value.code == 2


def test_code_is_counted_without_talk() -> None:
    text = '"""Says\n\nwhat."""\n\n# why\nimport os\n\n\ndef f():\n    """Says."""\n    return """a\n    # b"""\n'
    assert program_figures.code_lines(text, ".py") == 3  # a line that starts with # is talk, wherever it stands
    assert program_figures.code_lines("// why\nlet a = 1\n", ".js") == 1


@pytest.mark.parametrize(
    ("said", "count"), [("x\n2764 tests collected in 4.25s\n", 2764), ("===== 1 test collected in 0.01s =====\n", 1)]
)
def test_collected_tests_are_counted(said: str, count: int) -> None:
    assert program_figures.collected(said) == count


@pytest.mark.parametrize("said", ["", "2764 tests collected, 1 error in 3.00s\n", "no tests ran in 0.01s\n"])
def test_a_collection_with_errors_is_not_a_count(said: str) -> None:
    with pytest.raises(program_figures.FigureError):
        program_figures.collected(said)
