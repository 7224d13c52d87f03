"""Two hospitals on one broker cannot see, imitate or disturb each other (CEN-02; attack rows 14, 15, 16).

Each attempt is refused and stands in the broker's log, while both hospitals' own traffic goes on, each publication
heard once and in order, and nothing else heard between.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from centre.fleet import refusals
from centre.fleet.broker import FROM_GATEWAY, Site, may_publish
from centre.fleet.broker_sync import BrokerError, Talk, sync
from centre.fleet.refusals import Refusal
from tests.attack.attempts import ALIAS, RESPONSE, Scene, Try, logged, tries
from tests.attack.hospitals import PLUGINS, Broker, Hospital, Trust, admin_of, until
from tests.attack.speaker import DISCONNECT, NOT_AUTHORIZED, PINGRESP, PUBLISH, GoneError, Speaker

pytestmark = pytest.mark.skipif(not PLUGINS, reason="mosquitto and its dynamic security plugin are not installed")
LEAST_TRIES = 30


class Place:
    """A broker with two hospitals, and a gateway of the second one that turns against the first."""

    def __init__(self, folder: Path) -> None:
        self.trust, other = Trust(folder / "certs"), Trust(folder / "other")
        ours = [self.trust.gateway() for _ in range(3)]
        desks = [self.trust.party(name) for name in ("centre-alfa", "centre-bravo", "desk-bravo")]
        self.sites = [
            Site("alfa", (ours[0].name,), ("centre-alfa",)),
            Site("bravo", (ours[1].name, ours[2].name), ("centre-bravo", "desk-bravo")),
        ]
        self.broker = Broker(folder, self.trust, self.sites)
        self.alfa = Hospital(self.broker.port, "alfa", ours[0], desks[0])
        self.bravo = Hospital(self.broker.port, "bravo", ours[1], desks[1])
        self.scene = Scene(self.broker.port, self.trust, other, ours[0].name, ours[2], desks[2])

    def beat(self) -> None:
        self.alfa.beat()
        self.bravo.beat()

    def refused(self, since: int) -> list[Refusal]:
        lines = self.broker.said(since).split("\n")[:-1]
        return list(refusals.read(lines, may_publish(self.sites)))

    def close(self) -> None:
        try:
            self.alfa.close()
            self.bravo.close()
        finally:
            self.broker.stop()


@pytest.fixture
def place(tmp_path) -> Iterator[Place]:
    with closing(Place(tmp_path)) as made:
        yield made


def attempt(place: Place, one: Try) -> tuple[str, Refusal]:
    """How it was refused, and the line of the log that says so."""
    since = len(place.broker.log.read_bytes())
    try:
        outcome = one.act(place.scene)
    except GoneError as gone:
        outcome = f"closed ({gone})"
    who = place.scene.attacker.name if one.who is None else one.who
    found: list[Refusal] = []

    def told() -> bool:
        found[:] = [
            line
            for line in place.refused(since)
            if (line.what, line.who, line.topic) == (one.what, who, logged(one.topic))
        ]
        return bool(found)

    until(told)
    return outcome, found[-1]


def all_attempts(place: Place) -> list[tuple[str, str, Refusal]]:
    """(name, how it was refused, its line of the log) of each; between any two of them both hospitals' day goes on."""
    all_tries = list(tries(place.scene))
    place.broker.reload()  # one of them is with a certificate that was revoked just now
    rows = []
    for number, one in enumerate(all_tries, 1):
        outcome, line = attempt(place, one)
        print(f"{number:3} {one.name:48} {outcome[:40]:41} {line.what:10} {line.who[:20]:21} {line.why}")
        rows.append((one.name, outcome, line))
        place.beat()
    assert (place.alfa.beats, place.bravo.beats) == (len(rows), len(rows))
    return rows


def test_every_attempt_is_refused_and_logged_and_nobody_is_disturbed(place):
    rows = all_attempts(place)
    assert len(rows) == len({name for name, _, _ in rows}) >= LEAST_TRIES
    assert retained(place) == {place.alfa.topic("state"): str(len(rows)).encode()}


@pytest.mark.parametrize("claimed", ["victim", "centre-alfa", "", "+"])
def test_whoever_claims_another_client_id_comes_in_under_his_own_name(place, claimed):
    attacker, victim = place.scene.attacker, place.scene.victim
    with attacker.dial(place.broker.port, victim if claimed == "victim" else claimed) as speaker:
        place.beat()
        assert speaker.subscribe(place.alfa.topic("command")).reason == NOT_AUTHORIZED
        assert speaker.publish(place.alfa.topic("vital")).reason == NOT_AUTHORIZED
        assert speaker.publish(f"wl/1/bravo/{attacker.name}/vital").reason < 0x80
        assert place.bravo.hears() == (f"wl/1/bravo/{attacker.name}/vital", b"x")
    place.beat()
    assert f" as {attacker.name} (" in place.broker.said()
    assert f"Client {victim} already connected" not in place.broker.said()


def test_what_is_allowed_is_not_refused_and_harms_nobody_else(place):
    """The other half of the proof: the same means used at home work, so it was the rules that refused."""
    name, port = place.scene.attacker.name, place.broker.port
    since = len(place.broker.log.read_bytes())
    own, foreign = f"wl/1/bravo/{name}/state", place.alfa.topic("vital").encode()
    with Speaker.dial(port, place.scene.attacker.shown) as speaker:
        assert speaker.connect(name, will=(own, b"gone")).reason == 0
        answer = RESPONSE + len(foreign).to_bytes(2, "big") + foreign
        assert speaker.publish(own, b"1", ALIAS + answer).reason == 0
        assert place.bravo.hears() == (own, b"1")
        assert speaker.publish("", b"2", ALIAS).reason == 0
        assert place.bravo.hears() == (own, b"2")
        speaker.leave(with_will=True)
    assert place.bravo.hears() == (own, b"gone")
    place.beat()
    assert place.refused(since) == []


def test_a_gateway_comes_and_another_goes_without_a_restart(place):
    """Sync touches only whom it concerns; whoever is revoked is put out, and stays out once the list is reloaded."""
    gone, new = place.scene.attacker, place.trust.gateway()
    line = place.broker.line(admin_of(place.trust))
    assert sync(line, place.sites) == []
    bravo = place.sites[1]
    wanted = [place.sites[0], Site("bravo", (*(g for g in bravo.gateways if g != gone.name), new.name), bravo.centres)]
    with gone.dial(place.broker.port) as leaver:
        place.beat()
        done = [(change["command"], change.get("username") or change["rolename"]) for change in sync(line, wanted)]
        added = [(command, new.name) for command in ("createRole", "createClient", "modifyClient")]
        assert done == [("deleteClient", gone.name), *added, ("deleteRole", gone.name)]
        assert leaver.ping().kind == DISCONNECT
    assert sync(line, wanted) == []
    with new.dial(place.broker.port) as comer:
        assert comer.subscribe(f"wl/1/bravo/{new.name}/command").reason == 1
    with gone.dial(place.broker.port) as returned:
        assert returned.subscribe(f"wl/1/bravo/{gone.name}/command").reason == NOT_AUTHORIZED
    place.trust.revoke(gone)
    place.broker.reload()
    with pytest.raises(GoneError):
        gone.dial(place.broker.port)
    place.beat()


def test_who_came_before_he_was_let_in_is_made_to_come_again(place):
    """His subscriptions were refused; with rights, and without asking again, he would wait for receipts for ever."""
    early = place.trust.gateway()
    bravo = place.sites[1]
    wanted = [place.sites[0], Site("bravo", (*bravo.gateways, early.name), bravo.centres)]
    with early.dial(place.broker.port) as speaker:
        assert speaker.subscribe(f"wl/1/bravo/{early.name}/receipt").reason == NOT_AUTHORIZED
        line = place.broker.line(admin_of(place.trust))
        sync(line, wanted)
        assert speaker.ping().kind == DISCONNECT
    with closing(Talk(line)) as talk:
        talk.ask({"command": "modifyRole", "rolename": early.name, "acls": []})
    with early.dial(place.broker.port) as speaker:  # the same where a right is added
        assert speaker.subscribe(f"wl/1/bravo/{early.name}/receipt").reason == NOT_AUTHORIZED
        assert [one["command"] for one in sync(line, wanted)] == ["modifyRole", "modifyClient"]
        assert speaker.ping().kind == DISCONNECT
    assert sync(line, wanted) == []
    place.beat()


def test_an_admin_that_the_broker_does_not_know_changes_nothing(place):
    with pytest.raises(BrokerError, match="does not know centre-bravo as its admin"):
        sync(place.broker.line(place.trust.party("centre-bravo")), [], "centre-bravo")


def test_queues_and_rights_outlast_a_restart_of_the_broker(place):
    """What the centre has not taken yet is kept for it, under the same rules."""
    desk = place.scene.desk
    with Speaker.dial(place.broker.port, desk.shown) as speaker:
        assert speaker.connect(desk.name, lasts_s=600).reason == 0
        speaker.subscribe("wl/1/bravo/+/vital")
    with place.scene.attacker.dial(place.broker.port) as gateway:
        assert gateway.publish(f"wl/1/bravo/{place.scene.attacker.name}/vital", b"kept").reason == 0
    place.bravo.hears()
    place.close()
    place.broker.start()
    with Speaker.dial(place.broker.port, desk.shown) as speaker:
        assert speaker.connect(desk.name, lasts_s=600).reason == 0
        assert speaker.until(PUBLISH).body.endswith(b"kept")
    place.alfa, place.bravo = (
        Hospital(place.broker.port, h.site, h.gateway, h.centre) for h in (place.alfa, place.bravo)
    )
    place.beat()


def retained(place: Place) -> dict[str, bytes]:
    """What a fresh subscriber of A's centre finds."""
    found = {}
    with place.trust.party("centre-alfa").dial(place.broker.port) as desk:
        for word in FROM_GATEWAY:
            desk.ask(f"wl/1/alfa/+/{word}", qos=0)
        desk.say(12, b"")
        while (packet := desk.hear()).kind != PINGRESP:
            if packet.kind == PUBLISH:
                topic, data = packet.publication
                found[topic] = data
    return found
