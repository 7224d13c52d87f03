"""The campaign of the noisy neighbour, in small: every flood is one, and A hears all of its own meanwhile."""

from __future__ import annotations

import pytest

from tests.attack.hospitals import PLUGINS
from tests.attack.neighbour import FLOODS, MEMORY_LIMIT_BYTES, campaign

pytestmark = pytest.mark.skipif(not PLUGINS, reason="mosquitto and its dynamic security plugin are not installed")


def test_no_flood_of_one_hospital_silences_the_other(tmp_path):
    found = campaign(tmp_path, 0.005)
    assert [one.name for one in found] == [flood.name for flood in FLOODS]
    assert all(one.beats and one.memory_bytes < MEMORY_LIMIT_BYTES for one in found)
