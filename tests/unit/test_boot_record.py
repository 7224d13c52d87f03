"""Which epochs share a boot: said by the gateway, kept by the centre once, whatever comes late or twice."""

from pathlib import Path

import pytest

from centre.bounds import BoundsError, check_records
from centre.gate import Gate
from tests.sealed import Bedside
from tests.unit.test_ingest import Centre
from wire.records import Boot

ONE, OTHER = bytes(range(16)), bytes(16)


def test_the_centre_keeps_the_boot_of_each_epoch(tmp_path: Path) -> None:
    first, second = Bedside(), Bedside(epoch=2)
    centre = Centre(f"sqlite:///{tmp_path / 'centre.db'}", Gate({first.gateway: "north"}))
    centre.take(first.grant(), second.grant(), second.vital(Boot(3, ONE, 5)), first.vital(Boot(9, ONE, 5)))
    centre.take(first.vital(Boot(99, ONE, 5)))
    assert named(centre, first.gateway) == [(1, ONE), (2, ONE)]
    centre.take(second.vital(Boot(7, OTHER, 1)))
    assert named(centre, first.gateway) == [(1, ONE), (2, b"")], "a copied card: two boots in one epoch date nobody"
    centre.store.close()


def named(centre: Centre, gateway: str) -> list[tuple[int, bytes]]:
    return [(one.epoch, one.boot) for one in centre.store.datings(gateway, 1)]


@pytest.mark.parametrize("boot", [Boot(0, b"", 1), Boot(0, bytes(15), 1), Boot(0, bytes(17), 1), Boot(0, ONE, -1)])
def test_a_boot_that_is_none_is_refused(boot: Boot) -> None:
    with pytest.raises(BoundsError):
        check_records([boot])
