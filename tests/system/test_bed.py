"""The bed in a running gateway: a scan is proposed, a person binds, a restart remembers, and no name leaves."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from agent.binding import pseudonym, words
from agent.binding.words import ADT_SOCKET, LINE_LIMIT_BYTES, Person
from agent.spool.files import Disk
from agent.world import World
from tests.system.bed_rig import READING, Ward
from wire.records import Association, PatientIdAt

NUMBER, NAME, OTHER = "LK-471102", "Ouédraogo Zoé", "LK-990011"
CANARIES = (NUMBER, OTHER, "Ouédraogo", "drao", "4711")


@pytest.fixture
def ward(tmp_path: Path):
    made = Ward(tmp_path, 'wristbands = ["LK-######"]\nbadges = ["N-###"]')
    yield made
    made.unplug()


def associations(ward: Ward) -> list[Association]:
    return [record for _, record in ward.stored().records if isinstance(record, Association)]


def test_a_scan_is_confirmed_and_a_restart_remembers_it(ward: Ward, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")

    async def story() -> None:
        async with ward.runs(), ward.page() as page:
            ward.oximeter.say(READING)
            ward.scanner.say(f"{NUMBER}\r".encode())
            proposal = await page.proposal("scan")
            assert page.bed.episode.method == "none", "a scan binds nobody"
            assert (await page.do(words.Typed(2, NUMBER, NAME, "19811231"))).done
            assert (await page.do(words.Confirm(3, proposal.key, "n-12"))).done
            bed = await page.until(lambda bed: bed.status == "validated")
            assert (bed.episode.person.id, bed.episode.method) == (NUMBER, "scan")
            ward.scanner.say(b"XX-471102\r")
            assert (await page.until(lambda bed: bed.refused)).refused == "site"
        async with ward.runs(), ward.page() as page:
            bed = await page.until(lambda bed: bed.status == "validated")
            assert bed.episode.person.id == NUMBER
            ward.scanner.say(f"{OTHER}\r".encode())
            bed = await page.until(lambda bed: bed.ended == "wristband")
            assert bed.episode.method == "none"

    asyncio.run(story())
    said = associations(ward)
    bound = {one.pseudonym for one in said if one.pseudonym}
    assert len(bound) == 1
    assert next(iter(bound)).startswith("p-")
    assert "wristband" in [one.ended for one in said]
    numbers = [record for _, record in ward.stored().records if isinstance(record, PatientIdAt)]
    assert {one.name for one in numbers} == {""}
    assert {one.code for one in numbers} > bound, "as pseudonyms, and nothing for what was refused"
    assert not leaks(ward.folder), "in no file, but the one that is sealed"
    assert not any(word in caplog.text for word in CANARIES)


def leaks(folder: Path) -> list[tuple[str, str]]:
    found = []
    for file in [*(folder / "state").rglob("*"), *(folder / "run").rglob("*")]:
        if file.is_file() and "tape" not in str(file):
            data = file.read_bytes()
            found += [(file.name, word) for word in CANARIES if word.encode() in data]
    return found


def test_by_scans_alone_badge_wristband_label(ward: Ward) -> None:
    async def story() -> None:
        async with ward.runs(), ward.page() as page:
            ward.scanner.say(b"N-012\r" + f"{NUMBER}\r".encode() + b"WLBED:north:bed 3\r")
            bed = await page.until(lambda bed: bed.status == "validated")
            assert bed.episode.performer == "N-012"
            ward.scanner.say(b"WLBED:north:bed 4\r")
            assert (await page.until(lambda bed: bed.ended == "moved")).bed == "bed 4"
            ward.scanner.say(f"{NUMBER}\r".encode() + b"WLBED:elsewhere:bed 4\r")
            assert (await page.until(lambda bed: bed.refused)).episode.method == "none"

    asyncio.run(story())


class Full(Disk):
    """A card that takes no more of one file."""

    full = False

    def open(self, path: Path) -> int:
        if Full.full and path.name.startswith("bed.sealed"):
            raise OSError(errno.ENOSPC, "no space")
        return super().open(path)


def test_a_binding_that_cannot_be_kept_is_not_done_and_an_end_is(ward: Ward) -> None:
    async def story() -> None:
        async with ward.runs(World(files=Full)) as gateway, ward.page() as page:
            await page.do(words.Typed(1, NUMBER))
            key = (await page.proposal("location")).key
            Full.full = True
            assert (await page.do(words.Confirm(2, key, "n-12"))).why == "storage"
            assert page.bed.episode.method == "none"
            Full.full = False
            assert (await page.do(words.Confirm(3, key, "n-12"))).done
            Full.full = True
            assert (await page.do(words.Unbind(4, "n-12"))).done
            assert (await page.until(lambda bed: bed.ended == "unbound")).episode.method == "none"
            assert "cannot be written" in gateway.associating.words()
            Full.full = False

    try:
        asyncio.run(story())
    finally:
        Full.full = False


def test_the_door_for_adt_can_propose_and_nothing_else(ward: Ward) -> None:
    async def story() -> None:
        async with ward.runs() as gateway, ward.page(ADT_SOCKET) as door, ward.page() as page:
            assert (await door.do(words.Adt(1, "A01", Person(NUMBER, NAME)))).done
            proposal = await page.proposal("adt")
            for deed in (words.Confirm(2, proposal.key, "n-12"), words.Unbind(2, "n-12")):
                assert (await door.do(deed)).why == "words"
            assert door.bed is None, "it is never told how it stands"
            assert (await page.do(words.Adt(3, "A03", Person(NUMBER)))).why == "words"
            assert gateway.associating.binding.course.method == "none"
            await door.say(b"x" * (2 * LINE_LIMIT_BYTES) + b"\n")
            await ward.bell.until(door.task.done)
            assert all(task.failures == 0 for task in gateway.supervisor.watched)

    asyncio.run(story())


def test_row_28_another_site_key_cannot_be_linked() -> None:
    """The same number at two hospitals, and at a gateway that has no site key."""
    keys = [bytes([n]) * 32 for n in range(3)] + [pseudonym.derived(bytes([9]) * 32, "pseudonym")]
    names = {pseudonym.pseudonym(key, NUMBER) for key in keys}
    assert len(names) == len(keys)
    assert all(len(name) == 18 and NUMBER not in name for name in names)
    assert pseudonym.pseudonym(keys[0], NUMBER) == pseudonym.namer(keys[0])(NUMBER)
    assert pseudonym.parsed(pseudonym.text(keys[1])) == keys[1]
    for wrong in ("", "wl-site-key-1:", pseudonym.text(keys[1])[:-2], "ed25519-secret:" + "A" * 43):
        with pytest.raises(pseudonym.SiteKeyError):
            pseudonym.parsed(wrong)


def test_row_28_the_sites_key_is_used_where_it_is(ward: Ward) -> None:
    key = bytes(range(32))
    (ward.ring.gateway / "site.key").write_text(pseudonym.text(key) + "\n")

    async def story() -> None:
        async with ward.runs() as gateway, ward.page() as page:
            await page.do(words.Typed(1, NUMBER))
            proposal = await page.proposal("location")
            await page.do(words.Confirm(2, proposal.key, "n-12"))
            bed = await page.until(lambda bed: bed.status == "validated")
            assert (bed.key, bed.episode.pseudonym) == ("site", pseudonym.pseudonym(key, NUMBER))
            assert "the site's key" in gateway.associating.words()

        (ward.ring.gateway / "site.key").write_text("nonsense")
        async with ward.runs() as gateway:
            assert "site.key cannot be used" in gateway.associating.words()

    asyncio.run(story())
