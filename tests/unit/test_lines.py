"""The table of who listens at which line says what the drivers say, and spares loading them."""

from __future__ import annotations

import subprocess
import sys

from agent.ports.seek import Seek, settings_of
from drivers import lines, registry
from drivers.claims import Serial
from drivers.lines import LINES, shelf
from tests.unit.test_seek import story_of

RUN = """
import sys
from agent.ports.seek import Seek
from drivers.lines import shelf
seek = Seek(shelf(), 0)
print(seek.line, sum(name.startswith("drivers.devices.") for name in sys.modules))
"""


def claimed() -> dict[str, tuple[Serial, ...]]:
    return {
        kind.info.id: tuple(claim for claim in kind.info.claims if isinstance(claim, Serial))
        for kind in registry.all_drivers()
    }


def test_the_table_is_what_the_drivers_claim() -> None:
    assert claimed() == LINES, "the right side is drivers/lines.py: make it read as the left"


def test_the_settings_of_the_shelf_are_those_of_the_drivers_in_their_order() -> None:
    named = [(line, [kind.info.id for kind in kinds]) for line, kinds in settings_of(registry.all_drivers())]
    assert [(line, [kind.info.id for kind in kinds]) for line, kinds in settings_of(shelf())] == named


def test_only_drivers_of_the_setting_are_loaded() -> None:
    done = subprocess.run([sys.executable, "-c", RUN], capture_output=True, text=True, check=True)
    most = max(len(kinds) for _, kinds in settings_of(shelf()))
    assert done.stdout.split() == ["9600", "8N1", str(most)]


def test_whoever_is_found_on_the_shelf_is_the_driver_itself() -> None:
    seek = Seek(shelf(), 0, Serial(9600))
    found = next(found for at, data in story_of("nellcor_n560", "bedside") if (found := seek.heard(data, at)))
    assert found.kind is registry.driver("nellcor_n560")


def test_a_driver_that_is_not_in_the_table_is_loaded_to_be_asked(monkeypatch) -> None:
    monkeypatch.delitem(lines.LINES, "nonin_spot")
    assert registry.driver("nonin_spot") in shelf()
