"""Which driver a device is given: the claim that says most, and nobody where two say as much."""

from __future__ import annotations

import pytest

from agent.ports.radio.air import Seen
from agent.ports.radio.policy import NEAR_DBM, Claims, may_adopt
from drivers import registry
from drivers.capture import full
from drivers.contract import Ble

CLAIMS = Claims(registry.all_drivers())


def seen(name: str, *services: str, rssi: int | None = -50) -> Seen:
    return Seen("C0:11:11:11:11:01", "random", name, frozenset(map(full, services)), rssi, False)


@pytest.mark.parametrize("kind", registry.all_drivers(), ids=lambda kind: kind.info.id)
def test_every_claim_is_found_by_its_service_and_name_or_rivals_are_named(kind) -> None:
    for claim in kind.info.claims:
        if isinstance(claim, Ble):
            choice = CLAIMS.choose(seen(claim.name, claim.service.lower()))
            assert choice.driver == kind.info.id or kind.info.id in choice.words, (claim, choice)


def test_a_name_and_a_service_say_more_than_a_service() -> None:
    assert CLAIMS.choose(seen("", "180d")).driver == "gatt_heart_rate"
    assert CLAIMS.choose(seen("Polar H10 12345678", "180d")).driver != "gatt_heart_rate"


def test_a_name_alone_is_enough_only_where_no_service_is_said() -> None:
    assert CLAIMS.choose(seen("O2Ring 1234")).driver == "viatom_o2ring"
    assert CLAIMS.choose(seen("O2Ring 1234", "1822")).driver == "gatt_oximeter"


def test_strangers_are_claimed_by_nobody() -> None:
    assert CLAIMS.choose(seen("phone", "fe2c")).driver is None
    assert CLAIMS.choose(seen("")).words == "no driver claims it"


def test_equal_rivals_are_nobody() -> None:
    choice = CLAIMS.choose(seen("", "1822", "1809"))
    assert choice.driver is None
    assert "gatt_oximeter and gatt_thermometer claim it" in choice.words


def test_what_is_far_is_not_what_a_person_meant() -> None:
    assert "bring it nearer" in may_adopt(seen("", rssi=NEAR_DBM - 1))
    assert may_adopt(seen("", rssi=NEAR_DBM)) == may_adopt(seen("", rssi=None)) == ""
