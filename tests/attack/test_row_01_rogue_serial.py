"""Row 1: another device speaks at a port that was pinned for one. Its good frames are nobody's readings.

Each serial recording is played whole to every driver that has a check of its own: who is not the device's driver says
no value and no wave. (Found ports are decided by evidence: `tests/claims.py`; another device at the same cable is
another session.) Drivers of one protocol at other settings, and those whose lines nothing protects, are named here.
"""

from __future__ import annotations

from functools import cache

import pytest

from drivers import registry
from drivers.contract import Integrity, Numeric, PatientId, Serial, Wave
from tests.fuzz import corpus

PLAYED_BYTES = 12_000
# A DINAMAP's blocks have no beginning, 16 bits of check and 8 of a number: each byte of another device is a trial, and
# one in millions passes. It is one block: 4 samples of a wave, 20 ms, in a session that says nothing else.
BY_CHANCE = {("dinamap_pro1000", "philips_intellivue"): 1}
ONE_PROTOCOL = {frozenset({"berry_bci", "contec_v5"})}  # BCI: the same frames at another speed


def is_serial(driver_id: str) -> bool:
    return any(isinstance(claim, Serial) for claim in registry.driver(driver_id).info.claims)


def is_checked(driver_id: str) -> bool:
    return registry.driver(driver_id).info.integrity is not Integrity.NONE


SERIAL = tuple(one for one in registry.ids() if is_serial(one))


@cache
def said_by(device: str) -> tuple[tuple[int, bytes], ...]:
    """What a device says, as its captures have it, within PLAYED_BYTES."""
    out, now, size = [], 0, 0
    for segment in corpus.of(device).segments:
        now += segment.wait + 1
        if not segment.source and size < PLAYED_BYTES:
            out.append((now, segment.data))
            size += len(segment.data)
    return tuple(out)


def understood(driver_id: str, device: str) -> tuple[list[object], int]:
    """What is said, and the good frames it is from."""
    driver = registry.driver(driver_id)()
    said = list(driver.on_open(0))
    for now, data in said_by(device):
        said += driver.on_bytes(data, now)
    return [one for one in said if isinstance(one, Numeric | Wave | PatientId)], driver.counts.frames


@pytest.mark.parametrize("driver_id", [one for one in SERIAL if is_checked(one)])
def test_good_frames_of_another_model_are_no_readings(driver_id: str) -> None:
    for device in SERIAL:
        if device != driver_id and frozenset({device, driver_id}) not in ONE_PROTOCOL:
            said, frames = understood(driver_id, device)
            chance = BY_CHANCE.get((driver_id, device), 0)
            assert frames == chance if chance else not said, f"{device}: {said[:3]}"


@pytest.mark.parametrize("driver_id", [one for one in SERIAL if is_checked(one)])
def test_its_own_are(driver_id: str) -> None:
    assert understood(driver_id, driver_id)[0]
