"""The socket of a bed: presence, updates dated and marked live or late, and what happens to a slow reader."""

import asyncio
from fractions import Fraction

from centre.rows import Anchored
from centre.web.app import make_app
from centre.web.stream import QUEUE_LIMIT_UPDATES
from tests.system.page_caller import socket
from tests.system.page_source import BOOT_UTC, EPOCH, Memory, Said, bed, run, stream
from wire import records


class Clock:
    def __init__(self):
        self.us = BOOT_UTC

    def __call__(self):
        return self.us


def memory() -> Memory:
    source = Memory(bed(), bed("gw-b2"))
    source.catalogue += [stream(0, "ecg.ii", "mV", Fraction(100)), stream(1, "spo2", "%")]
    source.anchored["gw-a1"].append(Anchored(EPOCH, 0, BOOT_UTC, 2_000_000, "ntp"))
    return source


def hear(tell, kind, source=None, clock=None, room=10_000):
    """What the reader of gw-a1 is told of this kind after `tell(memory)`."""

    async def call():
        mine = source or memory()
        async with socket(make_app(mine, mine, now=clock or Clock()), "gw-a1", room) as reader:
            await reader.next("presence")
            tell(mine)
            return await reader.next(kind)

    return asyncio.run(call())


def test_an_update_is_told_as_sent_with_its_time():
    mark = records.MarkAt(0, 1, "lead-off", 2)
    said = hear(
        lambda m: m.say(
            Said("gw-a1", [records.NumericAt(5_000_000, 1, 97)], [run(0, 300, [1, -2, 3], 4_000_000, mark)])
        ),
        "update",
    )
    [wave], [numeric] = said["waves"], said["numerics"]
    assert (said["live"], said["catalogue"]) == (True, False)
    assert (wave["first"], wave["samples"], wave["utc"], wave["grade"]) == (300, [1, -2, 3], BOOT_UTC + 4_000_000, "C")
    assert wave["marks"] == [{"at": 1, "kind": "lead-off", "count": 2}]
    assert (numeric["value"], numeric["why"], numeric["utc"]) == ("97", "", BOOT_UTC + 5_000_000)


def test_a_better_anchor_counts_from_the_envelope_that_brings_it():
    anchor = records.Anchor(5_000_000, BOOT_UTC + 5_000_123, 9_000, "ntp")
    said = hear(lambda m: m.say(Said("gw-a1", [anchor, records.NumericAt(5_000_000, 1, 97)])), "update")
    assert (said["numerics"][0]["utc"], said["numerics"][0]["grade"]) == (BOOT_UTC + 5_000_123, "A")


def test_what_comes_late_is_said_to_be_late():
    assert hear(lambda m: m.say(Said("gw-a1", [records.NumericAt(1, 1, 60)], live=False)), "update")["live"] is False


def test_other_beds_are_not_told():
    def tell(source):
        source.say(Said("gw-b2", [records.NumericAt(1, 1, 1)]))
        source.say(Said("gw-a1", [records.NumericAt(1, 1, 2)]))

    assert [n["value"] for n in hear(tell, "update")["numerics"]] == ["2"]


def test_gaps_alarms_and_catalogues_are_told():
    said = hear(
        lambda m: m.say(
            Said(
                "gw-a1",
                [
                    records.StreamGap(9, 0, 300, None, "device"),
                    records.AlarmAt(9, 0, "3", "ASYSTOLE", "high", "on"),
                    records.Catalogue(9, 0, "d", "crc", "p", "m", "m", "s", "f", []),
                ],
            )
        ),
        "update",
    )
    assert said["catalogue"] is True
    assert said["holes"] == [{"stream": 0, "first": 300, "last": None, "cause": "device"}]
    assert (said["notices"][0]["text"], said["notices"][0]["priority"]) == ("ASYSTOLE", "high")


def test_presence_follows_the_store():
    source, clock = memory(), Clock()

    def tell(mine):
        mine.known["gw-a1"] = bed(online=False, lost=4)
        clock.us += 3_000_000
        mine.say(Said("gw-a1"))

    said = hear(tell, "presence", source, clock)
    assert (said["bed"]["online"], said["bed"]["lost"]) == (False, 4)


def test_a_slow_reader_loses_the_oldest_and_is_told_how_many():
    async def call():
        source = memory()
        async with socket(make_app(source, source, now=Clock()), "gw-a1", room=1) as reader:
            await reader.next("presence")
            for number in range(QUEUE_LIMIT_UPDATES + 40):
                source.say(Said("gw-a1", [records.NumericAt(number, 1, number)]))
            dropped = await reader.next("dropped")
            following = await reader.next("update")
            return dropped["updates"], int(following["numerics"][0]["value"])

    dropped, following = asyncio.run(call())
    assert dropped == 40
    assert following == 40  # the oldest that is left


def test_a_reader_that_left_is_forgotten():
    async def call():
        source = memory()
        async with socket(make_app(source, source, now=Clock()), "gw-a1") as reader:
            await reader.next("presence")
            assert len(source.readers) == 1
        return source.readers

    assert asyncio.run(call()) == []


def test_an_unknown_bed_is_refused_in_words():
    async def call():
        source = memory()
        async with socket(make_app(source, source), "gw-zz") as reader:
            return [await reader.frame(), await reader.frame()]

    accepted, closed = asyncio.run(call())
    assert (accepted["type"], closed["code"], closed["reason"]) == ("websocket.accept", 4404, "no such bed")
