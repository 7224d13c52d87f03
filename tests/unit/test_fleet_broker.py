"""What a shared broker is told, what is changed at one that runs, and what its log says of refusals."""

from __future__ import annotations

import argparse
import json

import pytest

from agent.cli import fleet_broker
from agent.cli.talk import CommandError
from centre.fleet import refusals, store
from centre.fleet.broker import (
    ADMIN,
    CONTROL,
    FROM_CENTRE,
    FROM_GATEWAY,
    AccessError,
    Place,
    Site,
    access,
    arranged,
    conf,
    may_publish,
    people,
)
from centre.fleet.broker_sync import Held, changes
from wire.topics import WORDS

A, B = "a" * 20, "b" * 20
SITES = [Site("alfa", (A,), ("centre-alfa",)), Site("bravo", (B,), ("centre-bravo",))]


def test_each_word_of_ours_has_one_direction():
    assert not set(FROM_GATEWAY) & set(FROM_CENTRE)
    assert set(WORDS) <= set(FROM_GATEWAY) | set(FROM_CENTRE)


def test_every_right_names_the_site_and_only_centres_have_a_wildcard():
    for name, role in people(SITES)[1].items():
        for acl in role["acls"]:
            site = "bravo" if name in (B, "centre-bravo") else "alfa"
            if name == ADMIN:
                assert acl["topic"].startswith(CONTROL)
            elif name.startswith("centre"):
                assert acl["topic"].startswith(f"wl/1/{site}/+/")
            else:
                assert acl["topic"].startswith(f"wl/1/{site}/{name}/")
            assert acl["topic"].count("+") == name.startswith("centre")
            assert "#" not in acl["topic"]


def test_what_is_not_allowed_is_denied():
    made = access(SITES)
    assert made["defaultACLAccess"] == {
        "publishClientSend": False,
        "publishClientReceive": False,
        "subscribe": False,
        "unsubscribe": True,
    }
    assert "anonymousGroup" not in made


def test_who_may_publish_what():
    may = may_publish(SITES)
    assert may(A, f"wl/1/alfa/{A}/vital")
    assert may("centre-alfa", f"wl/1/alfa/{A}/command")
    for topic in (f"wl/1/bravo/{A}/vital", f"wl/1/alfa/{B}/vital", f"wl/1/alfa/{A}/command", CONTROL, "", "wl/1"):
        assert not may(A, topic)
    assert not may("stranger", f"wl/1/alfa/{A}/vital")


@pytest.mark.parametrize(
    "sites",
    [
        [Site("alfa", (A,)), Site("bravo", (A,))],
        [Site("alfa", (A,), (A,))],
        [Site("alfa", (A,), (ADMIN,))],
        [Site("alfa", (A,), ("+",))],
        [Site("+", (), ("centre",))],
    ],
    ids=["one gateway at two sites", "a centre with a gateway's id", "a centre as admin", "+ as centre", "+ as site"],
)
def test_rows_that_would_open_a_door_are_refused(sites):
    with pytest.raises(AccessError):
        people(sites)


def test_a_centre_serves_all_sites_or_those_named():
    rows = [("alfa", A), ("bravo", B)]
    assert list(arranged(["alfa", "bravo"], rows, {"centre": ()})) == [
        Site("alfa", (A,), ()),
        Site("bravo", (B,), ()),
        Site("", (), ("centre",), is_all=True),
    ]
    may = may_publish(arranged(["alfa"], rows, {"centre": ()}))
    assert may("centre", f"wl/1/charlie/{B}/command"), "also at a site that comes later, with the filter it asks for"
    assert not may("centre", f"wl/1/alfa/{A}/vital")
    assert list(arranged(["alfa", "bravo"], rows, {"centre-alfa": ("alfa",), "centre-bravo": ("bravo",)})) == SITES
    with pytest.raises(AccessError, match="charlie"):
        list(arranged(["alfa"], [], {"centre": ("charlie",)}))


def test_centres_take_turns_in_their_group_at_their_sites_alone():
    shared = [Site("alfa", (A,), ("centre-1", "centre-2"), shares=("ward",)), Site("bravo", (B,), ("centre-bravo",))]
    roles = people(shared)[1]
    turns = {
        name: [a["topic"] for a in role["acls"] if a["topic"].startswith("$share")] for name, role in roles.items()
    }
    assert turns["centre-1"] == turns["centre-2"] == [f"$share/ward/wl/1/alfa/+/{word}" for word in FROM_GATEWAY]
    assert not any(topics for name, topics in turns.items() if name not in ("centre-1", "centre-2"))
    with pytest.raises(AccessError):
        people([Site("alfa", (), shares=("+",))])


def test_the_broker_is_told_who_is_who_by_certificate_alone():
    lines = conf(Place()).splitlines()
    for line in (
        "tls_version tlsv1.3",
        "require_certificate true",
        "use_identity_as_username true",
        "use_username_as_clientid true",
        "allow_anonymous false",
    ):
        assert line in lines
    assert sum(line.startswith("listener ") for line in lines) == 1


def test_nothing_is_changed_where_all_is_right():
    assert changes(Held(*people(SITES)), SITES) == []


def test_only_what_differs_is_changed_and_who_goes_goes_first():
    held = Held(*people([*SITES, Site("charlie", ("c" * 20,), ())]))
    held.clients[A] = held.clients[A] | {"disabled": True}
    held.roles[B] = held.roles[B] | {"acls": []}
    done = [(one["command"], one.get("username") or one["rolename"]) for one in changes(held, SITES)]
    assert done == [
        ("deleteClient", "c" * 20),
        ("modifyRole", B),
        ("modifyClient", A),
        ("enableClient", A),
        ("modifyClient", B),
        ("deleteRole", "c" * 20),
    ]


def test_somebody_who_was_given_more_by_hand_loses_it():
    held = Held(*people(SITES))
    held.clients[A] = held.clients[A] | {"groups": [{"groupname": "all"}]}
    assert [one["command"] for one in changes(held, SITES)] == ["modifyClient"]


def told(*lines: str) -> list[refusals.Refusal]:
    return list(refusals.read(f"2026-01-01T00:00:00: {line}\n" for line in lines))


def test_of_a_subscribe_with_several_topics_only_the_refused_ones_are_told():
    asked = [f"\t{topic} (QoS 1)" for topic in ("own", "#", "more")]
    given = [f"{A} 1 own", "Sending PUBLISH to x", f"{A} 1 more"]
    lines = [
        f"Received SUBSCRIBE from {A}",
        asked[0],
        given[0],
        asked[1],
        asked[2],
        *given[1:],
        f"Sending SUBACK to {A}",
    ]
    assert [(one.who, one.topic) for one in told(*lines)] == [(A, "#")]


def test_a_topic_cannot_break_the_line_or_the_terminal():
    evil = "a\u2028b\u202e\x1b[31m\r', ... (1 bytes))"
    found = told(f"Denied PUBLISH from {A} (d0, q1, r0, m1, '{evil}', ... (9 bytes))")
    line = found[0].line()
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["topic"] == evil


def test_an_address_is_told_only_where_it_is_sure():
    opened = ["New connection from 10.0.0.1:1 on port 8883.", "New connection from 10.0.0.2:2 on port 8883."]
    failed = ["OpenSSL Error[0]: error:0A000086:SSL routines::certificate verify failed"]
    failed.append("Client <unknown> disconnected: Protocol error.")
    assert [(one.where, one.why) for one in told(opened[0], *failed)] == [("10.0.0.1:1", "certificate verify failed")]
    assert [one.where for one in told(*opened, *failed)] == [""]


def test_nothing_healthy_is_told():
    assert not told(
        f"New client connected from 10.0.0.1:1 as {A} (p5, c1, k60, u'{A}').",
        "Will message specified (2 bytes) (r1, q1).",
        f"\twl/1/alfa/{A}/state",
        f"Received UNSUBSCRIBE from {A}",
        "\t#",
        "OpenSSL Error[0]: error:0A000126:SSL routines::unexpected eof while reading",
        f"Client {A} closed its connection.",
        f"Client {A} disconnected.",
    )


@pytest.fixture
def fleet(tmp_path):
    store.make(tmp_path)
    with store.writing(tmp_path) as db:
        db.executemany("INSERT INTO site VALUES (?, 0)", [("alfa",), ("bravo",)])
        rows = [(A, "alfa", "active"), (B, "bravo", "active"), ("c" * 20, "alfa", "revoked")]
        db.executemany("INSERT INTO gateway VALUES (?, ?, '', '', ?, 0, 0, '', NULL)", rows)
    return tmp_path


def run(folder, *words: str) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder")
    fleet_broker.add(parser.add_subparsers(required=True))
    args = parser.parse_args([f"--folder={folder}", *words])
    args.folder = folder
    return args.run(args)


def test_the_verbs_say_what_the_fleet_holds(fleet, capsys):
    assert run(fleet, "broker", "access", "--centre", "centre-alfa=alfa", "--centre", "centre-bravo=bravo") == 0
    assert json.loads(capsys.readouterr().out) == access(SITES)
    assert run(fleet, "broker", "conf", "--plugin", "/x.so", "--port", "8884") == 0
    assert "listener 8884\n" in capsys.readouterr().out


def test_refusals_of_a_log_are_lines_of_json(fleet, capsys, tmp_path):
    log = tmp_path / "mosquitto.log"
    topic = "x\u2028y".encode() + b"\xff"
    log.write_bytes(f"1: Denied PUBLISH from {A} (d0, q1, r0, m1, '".encode() + topic + b"', ... (1 bytes))\n")
    assert run(fleet, "refusals", str(log)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["topic"] for line in lines] == ["x\u2028y\\xff"]


def test_a_broker_that_is_not_there_is_said_in_words(fleet, tmp_path):
    with pytest.raises(CommandError, match="No such file"):
        run(fleet, "broker", "sync", "--keys", str(tmp_path))
