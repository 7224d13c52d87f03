"""Row 6: a thousand advertisements a second. They cost less than half of a processor, and who is allowed is heard.

CPU seconds of the process for each second of virtual time, ours alone: what bluetoothd costs is its own. The Air calls
us once for each advertisement, as bleak does; the flood comes with a name that a driver claims and fresh addresses.
"""

from __future__ import annotations

import time
from pathlib import Path

from agent.ports.radio.air import Seen
from tests.radio.bed import OXIMETER, Bed, Device, named
from tests.radio.vtime import passing, run, until

RATE_HZ, SECONDS, STEP_S = 1000, 20, 0.05
CPU_LIMIT = 0.5  # of a processor


def test_a_thousand_advertisements_a_second_cost_less_than_half_of_a_processor(tmp_path: Path) -> None:
    async def flood(bed: Bed) -> float:
        begun, number = time.process_time(), 0
        for _ in range(int(SECONDS / STEP_S)):
            for _ in range(int(RATE_HZ * STEP_S)):
                number += 1
                address = f"C0:{number >> 16:02X}:{number >> 8 & 255:02X}:{number & 255:02X}:00:00"
                bed.host.seen(Seen(address, "random", "PLX 1", frozenset([OXIMETER.service]), -40, False))
            await passing(STEP_S)
        return time.process_time() - begun

    async def story() -> tuple[float, int, int]:
        bed = Bed(tmp_path, [named(OXIMETER)])
        device = Device(bed.ether, OXIMETER)
        await device.switch_on()
        async with bed.watched():
            await until(lambda: bed.readings())
            before = len(bed.readings())
            spent = await flood(bed)
            heard = len(bed.readings()) - before
            strangers = bed.radio.picture(0).strange_advertisements
        device.switch_off()
        return spent, heard, strangers

    spent, heard, strangers = run(story())
    assert strangers == RATE_HZ * SECONDS
    assert heard >= SECONDS, "who is allowed was not heard through the flood"
    assert spent / SECONDS < CPU_LIMIT, f"{spent / SECONDS:.0%} of a processor"
