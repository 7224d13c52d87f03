"""What a simulated link does to packets, on a clock of the test's own."""

import itertools
import struct
from random import Random

import pytest

from bench.links.pipe import Pipe, Sky, Wander
from bench.links.profiles import PROFILES, Way, Weather
from bench.links.rebind import Translator

STILL = Weather()


def pipe(way: Way, weather: Weather = STILL, seed: int = 1) -> Pipe:
    return Pipe(way, Sky(weather, seed, 0.0), seed)


def test_packets_queue_before_a_bottleneck_and_the_newest_is_dropped():
    one = pipe(Way(rate_bit_s=8000, delay_s=0.5, queue_s=2.0))
    assert [one.enter(1000, 0.0) for _ in range(4)] == [[1.5], [2.5], [3.5], []]
    assert one.counts.dropped_queue == 1
    assert one.enter(1000, 2.5) == [4.5], "half a second of queue is left"
    assert one.counts.carried_bytes == 4000


def test_losses_have_used_the_link():
    one = pipe(Way(rate_bit_s=8000, loss=1.0))
    assert one.enter(1000, 0.0) == []
    assert (one.counts.carried_bytes, one.counts.lost_air) == (1000, 1)


def test_shares_are_kept_and_a_seed_repeats_them():
    def run(seed: int) -> list[int]:
        one = pipe(Way(loss=0.1, duplicate=0.05), seed=seed)
        return [len(one.enter(100, at)) for at in range(10_000)]

    assert run(3) == run(3) != run(4)
    assert 900 < run(3).count(0) < 1100
    assert 400 < run(3).count(2) < 520


def test_jitter_keeps_the_order_and_the_mean():
    one = pipe(Way(delay_s=0.4, jitter_s=0.2))
    arrivals = [one.enter(100, at / 20)[0] for at in range(20_000)]
    delays = [arrival - at / 20 for at, arrival in enumerate(arrivals)]
    assert arrivals == sorted(arrivals)
    assert 0.2 <= min(delays) < 0.22
    assert 0.58 < max(delays) <= 0.6
    assert sum(delays) / len(delays) == pytest.approx(0.4, abs=0.02)


def test_some_fall_behind_where_the_link_reorders():
    one = pipe(Way(delay_s=0.5, jitter_s=0.2, reorder=0.05))
    arrivals = [one.enter(100, at / 50)[0] for at in range(1000)]
    behind = sum(later < earlier for earlier, later in itertools.pairwise(arrivals))
    assert 30 < behind < 70


def test_no_jitter_wanders_nowhere():
    assert Wander(0.0, Random(1)).at(5.0) == 0.0


def test_outages_end_each_period_and_a_cut_is_at_once():
    sky = Sky(Weather(outage_every_s=60, outage_s=40), 1, 100.0)
    assert [sky.is_down(100.0 + at) for at in (0, 19, 20, 59, 60, 80)] == [False, False, True, True, False, True]
    sky.cut = True
    assert sky.is_down(100.0)


def test_bursts_come_about_as_often_as_said():
    sky = Sky(Weather(burst_every_s=60, burst_s=2), 5, 0.0)
    down = sum(sky.is_down(at / 10) for at in range(360_000)) / 10
    assert pytest.approx(down, rel=0.15) == 36_000 * 2 / 62


def test_calm_has_no_outages_and_still_no_bursts_either():
    gprs = PROFILES["P1"]
    assert gprs.in_weather("whole") == gprs
    assert (gprs.in_weather("calm").weather.outage_s, gprs.in_weather("calm").weather.burst_s) == (0, 2)
    assert gprs.in_weather("still").weather == STILL
    assert PROFILES["P6"].calm().rebind_s == 0


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def test_a_translator_that_forgets_gives_new_addresses_and_knows_the_old_no_more():
    near, far = bytes([10, 77, 0, 1]), bytes([10, 77, 0, 2])
    tcp = bytearray(struct.pack(">HHIIBBHHH", 4000, 8883, 1, 2, 0x50, 0x18, 100, 0, 0) + b"data")
    struct.pack_into(">H", tcp, 16, checksum(near + far + struct.pack(">HH", 6, len(tcp)) + tcp))
    head = bytearray(struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0, near, far))
    struct.pack_into(">H", head, 10, checksum(head))
    one = Translator(near)
    out = one.outward(bytes(head + tcp))
    assert out is not None
    assert out[12:16] == one.outside
    assert checksum(out[:20]) == 0
    assert checksum(out[12:20] + struct.pack(">HH", 6, len(tcp)) + out[20:]) == 0
    back = out[:12] + far + out[12:16] + out[20:]
    assert one.inward(back) is not None
    one.rebind()
    assert one.inward(back) is None
    assert one.outward(bytes(head + tcp)) != out
