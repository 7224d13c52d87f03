"""NUR-06 and NUR-09 from the nurse to the doctor: a real gateway's envelopes in the centre's store and interface."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agent import clock
from agent.binding import words
from agent.spool import read_folder
from centre.counts import Counts
from centre.live import Live
from centre.store import Batch, Entry, Store
from centre.web.app import make_app
from tests.system.bed_rig import READING, Page, Ward
from tests.system.page_caller import ask
from wire import bundle, keys
from wire.envelope import Header
from wire.records import NumericAt
from wire.seal import Opener
from wire.topics import Address, Class

FIRST, SECOND = "LK-471102", "LK-990011"


@pytest.fixture
def ward(tmp_path: Path):
    made = Ward(tmp_path)
    yield made
    made.unplug()


def delivered(ward: Ward, store: Store) -> None:
    """All that lies in the spool, as if it had come through the broker."""
    opener = Opener(ward.ring.gateway_id, [keys.recipient_secret((ward.ring.centre / "recipient.key").read_text())])
    address, entries = Address("north", ward.ring.gateway_id), []
    for stored in sorted(read_folder(ward.folder / "state" / "spool"), key=lambda one: (one.cls, one.epoch, one.seq)):
        header = Header(stored.epoch, Class(stored.cls), stored.seq, stored.hour)
        if header.cls is Class.KEY:
            opener.statement(stored.data)
        elif header.cls is Class.VITAL:
            plain = bundle.read_vital(opener.open(stored.data)[1])
            entries.append(Entry(address, header, 0, len(stored.data), stored.data[-32:], bytes(8), records=plain))
    store.enrol([(address, "bed 3")])
    store.write(Batch(entries=entries))


class Screen:
    """What a doctor asks for; each call is one refresh."""

    def __init__(self, store: Store, gateway: str) -> None:
        self._app = make_app(store, Live(Counts()), now=clock.unix_us)
        self._bed = f"/api/beds/{gateway}"

    def get(self, path: str) -> Any:
        answer = ask(self._app, f"{self._bed}/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def times(self, query: str) -> set[int]:
        """When the readings were that are shown."""
        return {one["t"] for one in self.get(f"numerics?since=0&{query}")["numerics"]}


async def heard(ward: Ward, count: int, gateway) -> None:
    """So many more readings are in a bundle."""
    seen: list[object] = []
    hear = gateway.pulse.who.hear

    def noted(now: int, records: list) -> list:
        seen.extend(one for one in records if isinstance(one, NumericAt))
        return hear(now, records)

    gateway.pulse.who.hear = noted
    for _ in range(count):
        ward.oximeter.say(READING)
    await ward.bell.until(lambda: len(seen) >= count)
    gateway.pulse.who.hear = hear


async def bind(page: Page, number: str) -> str:
    """The pseudonym."""
    assert (await page.do(words.Typed(1, number))).done
    await page.until(lambda bed: any(one.person.id == number for one in bed.proposals))
    key = next(one.key for one in page.bed.proposals if one.person.id == number)
    assert (await page.do(words.Confirm(2, key, "n-12"))).done
    return (await page.until(lambda bed: bed.episode.person.id == number)).episode.pseudonym


def test_nur_09_a_wrong_patient_is_gone_from_the_chart_with_one_refresh(ward: Ward) -> None:
    seen: dict[str, Any] = {}

    async def story() -> None:
        async with ward.runs() as gateway, ward.page() as page:
            await heard(ward, 3, gateway)
            seen["first"] = await bind(page, FIRST)
            await heard(ward, 3, gateway)
        store = Store(f"sqlite:///{ward.folder / 'before.db'}", Counts())
        delivered(ward, store)
        screen = Screen(store, ward.ring.gateway_id)
        seen["before"] = await asyncio.to_thread(screen.times, f"patient={seen['first']}")
        async with ward.runs() as gateway, ward.page() as page:
            bed = await page.until(lambda bed: bed.status == "validated")
            wrong = bed.episode.key
            assert (await page.do(words.Wrong(3, wrong, "n-13"))).done
            bed = await page.until(lambda bed: bed.ended == "wrong")
            assert (await page.do(words.Typed(4, SECOND))).done
            await page.until(lambda bed: any(one.person.id == SECOND for one in bed.proposals))
            key = next(one.key for one in page.bed.proposals if one.person.id == SECOND)
            assert (await page.do(words.BindLate(5, wrong, key, "n-13"))).done
            bed = await page.until(lambda bed: any(one.pseudonym for one in bed.history))
            seen["second"] = next(one.pseudonym for one in bed.history if one.pseudonym)
            await heard(ward, 2, gateway)

    asyncio.run(story())
    store = Store(f"sqlite:///{ward.folder / 'after.db'}", Counts())
    delivered(ward, store)
    screen = Screen(store, ward.ring.gateway_id)
    assert seen["before"], "it was in the wrong chart"
    assert not seen["before"] & screen.times(f"epoch=1&patient={seen['first']}")
    assert not screen.times(f"epoch=1&patient={seen['first']}&status=wrong"), "nor by asking for it"
    assert seen["before"] == screen.times(f"epoch=1&patient={seen['second']}")
    assert screen.times("epoch=1&status=corrected") == seen["before"]
    everything, unbound = screen.times("epoch=1"), screen.times("epoch=1&status=unvalidated")
    assert everything == unbound | seen["before"], "nothing is lost, and each is in one place"
    assert not unbound & seen["before"]
    spans = screen.get("patients")["patients"]
    assert [one["status"] for one in spans if one["pseudonym"]] == ["corrected"]
    assert screen.get("numerics")["epoch"] == 2
