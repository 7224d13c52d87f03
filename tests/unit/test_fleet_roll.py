"""The process that receives data sees at once who was enrolled, retired or revoked."""

import pytest

from centre.fleet import members
from centre.fleet.roll import Roll
from centre.fleet.store import FleetError
from centre.gate import Gate
from tests import fleet_rig
from tests.fleet_rig import Gateway, Rig
from wire.topics import Address


@pytest.fixture
def rig(tmp_path) -> Rig:
    return fleet_rig.made(tmp_path)


def enrolled(rig: Rig, gateway: Gateway, bed: str = "") -> Address:
    voucher = rig.voucher(bed=bed)
    gateway.reads(voucher.root, rig.answer(gateway.asks(voucher)))
    return Address("north", gateway.id)


def test_a_gateway_is_let_in_as_soon_as_it_is_enrolled(rig) -> None:
    gate, beds = Gate({"listed": "south"}), {}
    roll = Roll(rig.fleet.folder, {"listed": "south"}, gate, beds.update)
    address = Address("north", Gateway(100).id)
    assert not gate.admits(address)
    enrolled(rig, Gateway(100), "12")
    roll.look()
    assert gate.admits(address)
    assert gate.trusts(address)
    assert not gate.admits(Address("south", address.gateway))
    assert gate.admits(Address("south", "listed"))
    assert beds == {address: "12"}
    roll.close()


def test_a_revoked_one_is_refused_and_a_retired_one_may_be_relayed(rig) -> None:
    first, second = enrolled(rig, Gateway(100)), enrolled(rig, Gateway(101))
    gate = Gate(None)
    roll = Roll(rig.fleet.folder, None, gate, lambda beds: None)
    assert gate.admits(first)
    assert gate.carries(second)
    with rig.act() as act:
        members.revoke(act, first.gateway, "stolen")
        members.replace(act, second.gateway, "broken")
    roll.look()
    assert not gate.admits(first)
    assert not gate.carries(first)
    assert not gate.admits(second)
    assert gate.carries(second)
    assert not gate.carries(Address("south", second.gateway))
    roll.close()


def test_revoked_goes_before_what_the_configuration_lists(rig) -> None:
    first = enrolled(rig, Gateway(100))
    with rig.act() as act:
        members.revoke(act, first.gateway, "stolen")
    gate = Gate({first.gateway: "north"})
    Roll(rig.fleet.folder, {first.gateway: "north"}, gate, lambda beds: None).close()
    assert not gate.admits(first)


def test_a_store_that_cannot_be_read_keeps_what_was_known(rig, tmp_path, caplog) -> None:
    first = enrolled(rig, Gateway(100))
    gate = Gate({})
    roll = Roll(rig.fleet.folder, {}, gate, lambda beds: None)
    with rig.act() as act:
        members.revoke(act, first.gateway, "stolen")
    whole = (rig.fleet.folder / "fleet.db").read_bytes()
    (rig.fleet.folder / "fleet.db").write_bytes(b"\0" * len(whole))
    roll.look()
    roll.look()
    assert gate.admits(first)
    assert caplog.text.count("cannot be read") == 1
    (rig.fleet.folder / "fleet.db").write_bytes(whole)
    roll.look()
    assert not gate.admits(first)
    roll.close()
    with pytest.raises(FleetError, match="unable to open"):
        Roll(tmp_path, {}, gate, lambda beds: None)
