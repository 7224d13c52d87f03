"""A cap of 1 MiB in a real gateway with a device that makes waves: they stay here, readings go, the count is kept."""

from __future__ import annotations

import asyncio

from agent.health import causes
from agent.health.status import METRICS_FILE
from config import codes
from tests.system.bell import Bell
from tests.system.gateway_rig import Centre, scene
from wire.topics import Class

MIB = 1 << 20


def test_waves_wait_and_readings_go_on(tmp_path) -> None:
    async def story() -> None:
        state = tmp_path / "state"
        state.mkdir()
        used = b'{"month":0,"bytes":%d}' % (MIB * 93 // 100)
        (state / "volume").write_bytes(len(used).to_bytes(4, "big") + used)
        async with scene(tmp_path, more="data_cap_mib = 1") as (gateway, _, mosquitto):
            centre = await Centre(mosquitto.port).ready()
            try:
                await gateway.start()
                await Bell().until(lambda: sum(data[1] == Class.VITAL for data in centre.envelopes) > 3)
                await Bell().until(lambda: (now := gateway.status()) and now.link.live_left_envelopes > 2)
                now = gateway.status()
                assert not [data for data in centre.envelopes if data[1] == Class.WAVE]
                assert now.volume.held == "waves wait"
                assert now.carried_bytes > 1000
                assert codes.CAP in [one.code for one in causes.of(now, 1.0)]
                assert "wardlink_volume_cap_bytes 1048576" in (gateway.runtime / METRICS_FILE).read_text()
                assert await gateway.end() == 0
            finally:
                centre.stop()
            kept = (state / "volume").read_bytes()
            assert kept[4:] != used
            assert gateway.stored().samples  # the waves are all here

    asyncio.run(story())
