"""The page before the real gateway: a patient is confirmed at it; a link that is gone is shown within ten seconds."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from tests.page.test_page import Somebody
from tests.page.ward import Bench, page_before
from tests.system.bell import Bell
from tests.system.broker_rig import Proxy
from tests.system.gateway_rig import Centre, Gateway, Mosquitto, Oximeter

OUTAGE_LIMIT_S = 10.0


class Before(Bench):
    """What a test asks of the page; gateway and binding are real."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.deeds = []


def has(page: Before, mark: str) -> bool:
    return mark in page.get("/en")[2]


async def told(page: Before, mark: str) -> None:
    await Bell().until(lambda: has(page, mark), 30)


async def the_story(folder: Path) -> float:
    mosquitto, proxy = Mosquitto(folder), None
    mosquitto.start()
    proxy = Proxy(mosquitto.port, Bell())
    await proxy.start()
    oximeter = Oximeter(folder / "oximeter")
    gateway = Gateway(folder, f"mqtt://127.0.0.1:{proxy.port}", [oximeter.path], 'bed = "bed 3"')
    centre = await Centre(mosquitto.port).ready()
    try:
        await gateway.start()
        with page_before(gateway.config) as (port, _):
            page = Before(port)
            await told(page, 'class="now who"')
            assert has(page, "fact heard")
            await told(page, "fact sent")
            await asyncio.to_thread(_whoever_lies_here, page)
            await told(page, 'class="now sending"')
            begun = time.monotonic()
            proxy.freeze()
            await told(page, "fact stored")
            took_s = time.monotonic() - begun
            assert has(page, "The remote doctor does not see live values")
            proxy.thaw()
            await told(page, "fact sent")
        return took_s
    finally:
        gateway.close()
        centre.stop()
        await oximeter.hush()
        proxy.stop()
        mosquitto.stop()


def _whoever_lies_here(page: Before) -> None:
    somebody = Somebody(page).known()
    assert "Whoever lies in this bed" in somebody.text
    somebody.press("Yes, this patient")


def test_a_bed_is_confirmed_and_a_link_that_is_gone_is_shown(tmp_path: Path) -> None:
    took_s = asyncio.run(asyncio.wait_for(the_story(tmp_path), 110))
    print(f"a frozen link was shown after {took_s:.1f} s")
    assert took_s <= OUTAGE_LIMIT_S
