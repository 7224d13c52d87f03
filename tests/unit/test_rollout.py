"""An update of many gateways: a few first, on only when they are well, ended by failures; and the rows behind it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.cli.entry import main
from centre import rolling, rollout_desk
from centre.desk import DeskError
from centre.rolling import LOST_US, Came, Member, Step
from centre.store import Store, orders, rollouts
from centre.store.rollouts import Rollout
from tests.unit.test_centre_orders import Bench
from wire.command import Update
from wire.reply import Answer

DAY_US, HOUR_US = 86_400_000_000, 3_600_000_000
FLEET = [f"gateway-{n:04d}" for n in range(1000)]


def members(gateways: list[str], *came: Came, since: int = 0) -> list[Member]:
    return [Member(one, word, since) for one, word in zip(gateways, came, strict=False)]


def stepped(told: list[Member], stage: int = 0, utc: int = 2 * DAY_US, fleet: list[str] = FLEET) -> Step:
    return rolling.step("1.1", stage, 0, DAY_US, fleet, told, utc)


def test_one_in_a_hundred_then_one_in_ten_then_all_and_the_first_are_among_the_later() -> None:
    first, second, third = (rolling.chosen("1.1", FLEET, stage) for stage in range(3))
    assert (len(first), len(second), len(third)) == (10, 100, 1000)
    assert first == second[:10]
    assert second == third[:100]
    assert rolling.chosen("1.2", FLEET, 0) != first, "not always the same hospital's nerves"
    assert len(rolling.chosen("1.1", FLEET[:7], 0)) == 1


def test_a_stage_begins_by_telling_its_gateways() -> None:
    assert stepped([]) == Step(0, "runs", tuple(rolling.chosen("1.1", FLEET, 0)))


@pytest.mark.parametrize(
    ("came", "utc", "stage"),
    [
        (["well"] * 10, 2 * DAY_US, 1),
        (["well"] * 10, DAY_US - 1, 0),  # not long enough
        (["well"] * 9 + ["silent"], 2 * DAY_US, 1),
        (["well"] * 8 + ["silent", "waits"], 2 * DAY_US, 0),
        (["well"] * 8 + ["begun"] * 2, 2 * DAY_US, 0),
        (["well"] * 5 + ["refused"] * 5, 2 * DAY_US, 1),  # no updater there
        (["refused"] * 10, 2 * DAY_US, 0),  # nobody takes it: a bad signature
    ],
)
def test_the_next_stage_begins_once_nine_of_ten_are_well(came: list[Came], utc: int, stage: int) -> None:
    then = stepped(members(rolling.chosen("1.1", FLEET, 0), *came), utc=utc)
    assert (then.state, then.stage) == ("runs", stage)
    assert len(then.tell) == (90 if stage else 0)


def test_one_failure_among_the_first_ends_it_and_one_in_a_hundred_does_not() -> None:
    first, second = rolling.chosen("1.1", FLEET, 0), rolling.chosen("1.1", FLEET, 1)
    assert stepped(members(first, *["well"] * 9, "failed")) == Step(0, "stopped", why="1 of 10 that were tried failed")
    assert stepped(members(second, *["well"] * 99, "failed"), 1).stage == 2
    assert stepped(members(second, *["well"] * 98, "failed", "failed"), 1).state == "stopped"


def test_who_began_and_never_spoke_again_has_failed() -> None:
    told = members(rolling.chosen("1.1", FLEET, 0), *["well"] * 9, "begun", since=DAY_US)
    assert stepped(told, utc=DAY_US + LOST_US).state == "runs"
    assert stepped(told, utc=DAY_US + LOST_US + 1).state == "stopped"


def test_it_is_done_when_all_are_well() -> None:
    assert stepped(members(rolling.chosen("1.1", FLEET, 2), *["well"] * 1000), 2) == Step(2, "done")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.store.close()


def begin(store: Store, utc: int, sites: list[str] | None = None) -> None:
    with store._writing() as connection:
        rollouts.start(connection, Update("1.1", "https://x.org/a", b"a" * 32, "0.0"), sites or [], 0, utc)


def only(store: Store, utc: int) -> Rollout:
    with store._reading() as connection:
        (one,) = rollouts.listed(connection, utc)
    return one


def nonces(store: Store, *gateways: str) -> list[bytes]:
    return [bytes.fromhex(row.nonce) for gateway in gateways for row in store.orders(gateway, 9)]


def test_it_goes_on_by_itself_from_gateway_to_gateway(bench: Bench) -> None:
    both = (bench.first.gateway, bench.second.gateway)
    begin(bench.store, bench.utc)
    assert bench.store.roll(bench.utc) == [("1.1", "stage=1 told=1 runs")]
    assert bench.store.roll(bench.utc) == [], "it waits for what comes of it"
    (first,) = nonces(bench.store, *both)
    name = "first" if bench.store.orders(both[0], 9) else "second"
    bench.hear(first, Answer("begun", "1.1 is asked of the updater"), name)
    assert only(bench.store, bench.utc).counts["begun"] == 1
    assert bench.store.roll(bench.utc) == []
    bench.hear(first, Answer("done", "1.1 runs"), name)
    assert bench.store.roll(bench.utc) == [("1.1", "stage=2 told=0 runs")]
    assert bench.store.roll(bench.utc) == [("1.1", "stage=3 told=1 runs")]
    (second,) = (one for one in nonces(bench.store, *both) if one != first)
    bench.hear(second, Answer("done", "1.1 runs"), "second" if name == "first" else "first")
    bench.store.roll(bench.utc)
    found = only(bench.store, bench.utc)
    assert (found.state, found.of, found.counts["well"]) == ("done", 2, 2)


def test_a_failure_stops_it_and_withdraws_what_was_not_sent_and_it_goes_on_by_hand(bench: Bench) -> None:
    both = (bench.first.gateway, bench.second.gateway)
    begin(bench.store, bench.utc)
    bench.store.roll(bench.utc)
    (first,) = nonces(bench.store, *both)
    name = "first" if bench.store.orders(both[0], 9) else "second"
    bench.hear(first, Answer("failed", "1.1 was tried and was not well: 1.0 runs again"), name)
    assert bench.store.roll(bench.utc) == [("1.1", "stage=1 told=0 stopped 1 of 1 that were tried failed")]
    assert bench.store.roll(bench.utc) == []
    with bench.store._writing() as connection:
        rollouts.go_on(connection, "1.1", bench.utc + 1)
    bench.now_s += 1
    bench.store.roll(bench.utc)
    assert len(nonces(bench.store, *both)) == 2
    with bench.store._writing() as connection:
        rollouts.stop(connection, "1.1", "by hand")
    texts = [row.text for gateway in both for row in bench.store.orders(gateway, 9)]
    assert orders.WITHDRAWN in texts
    assert only(bench.store, bench.utc).counts["silent"] == 1


def test_only_the_sites_that_were_named_are_told(bench: Bench) -> None:
    begin(bench.store, bench.utc, ["south"])
    assert only(bench.store, bench.utc).of == 0
    assert bench.store.roll(bench.utc) == []


def test_the_words_of_a_person(bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    toml = tmp_path / "centre.toml"
    toml.write_text(f'broker = "mqtt://localhost"\nkeys = "{tmp_path}"\nstore = "sqlite:///{tmp_path}/centre.db"\n')
    verbs = ["centre", "rollout"]
    words = ["start", "1.1", "https://x.org/a", "ab" * 32, "--config", str(toml)]
    assert main([*verbs, *words]) == 0
    assert main([*verbs, *words]) == 1
    assert "1.1 is being rolled out already" in capsys.readouterr().err
    bench.store.roll(bench.utc)
    assert main([*verbs, "list", "--config", str(toml)]) == 0
    assert capsys.readouterr().out == "1.1          runs, at 1 % of 2: 1 waits\n"
    assert main([*verbs, "stop", "1.1", "--config", str(toml)]) == 0
    with pytest.raises(DeskError):
        rollout_desk.stop(toml, "9.9")
    assert rollout_desk.line(rollout_desk.listed(toml)[0]) == "1.1          stopped: by hand, at 1 % of 2: 1 silent"
