"""docs/devices.md says what the drivers and the captures say."""

from __future__ import annotations

import pytest

from bench import devices_table
from drivers import registry

PAGE = devices_table.ROOT / "docs" / "devices.md"


def test_the_page_is_what_the_drivers_say() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == devices_table.text(), "python bench/devices_table.py > docs/devices.md"


def test_every_driver_has_a_row() -> None:
    rows = [text for text in devices_table.lines() if text.startswith("| `")]
    for driver_id in registry.ids():
        assert sum(text.startswith(f"| `{driver_id}` |") for text in rows) >= 3, driver_id


@pytest.mark.parametrize(
    ("origins", "said"),
    [
        (["real device; somebody's log"], "real bytes"),
        (["recorded at the bedside"], "real bytes"),
        (["synthetic", "real monitor fed by a simulator"], "real bytes"),
        (["the first block is real (somewhere); others made"], "partly real"),
        (["synthetic, real-time frames by the rules"], "examples"),
        (["real-time frames made by the rules"], "examples"),
        ([], "examples"),
    ],
)
def test_proof_is_not_overstated(origins: list[str], said: str) -> None:
    assert devices_table.proven(origins) == said
