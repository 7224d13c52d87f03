"""What a device pushes from its memory is said once, and nothing is missed: whatever its clock does."""

from collections.abc import Iterable
from decimal import Decimal

import pytest

from drivers.bluetooth.memory import LIMIT_DIGESTS, Memory
from drivers.bluetooth.profile import Profile
from drivers.contract import Numeric, Output, Reached
from drivers.devices.gatt_blood_pressure import GattBloodPressure
from drivers.devices.gatt_body_composition import GattBodyComposition
from drivers.devices.gatt_oximeter import SPOT, GattOximeter
from drivers.devices.gatt_thermometer import RESULT, GattThermometer
from drivers.devices.gatt_weight import GattWeight


def temperature(tenths: int, stamp: str) -> bytes:
    return b"\x06" + tenths.to_bytes(3, "little") + b"\xff" + bytes.fromhex(stamp) + b"\2"


NOON, LATER, EARLIER = "EA070B160C0000", "EA070B160C0500", "E20701010C0000"
FEVER, FELL, OLD_CLOCK = temperature(391, NOON), temperature(378, LATER), temperature(380, EARLIER)


def visit(reached: str, *values: bytes) -> tuple[list[str], str]:
    """What one connection says, and the mark after it."""
    driver = GattThermometer()
    driver.reached = reached
    said: list[Output] = list(driver.on_open(0))
    for value in values:
        said += driver.on_bytes(value, 0, RESULT)
    marks = [one.mark for one in said if isinstance(one, Reached)]
    return [str(one.value) for one in said if isinstance(one, Numeric)], marks[-1] if marks else reached


def test_what_comes_again_is_said_once() -> None:
    said, mark = visit("", FEVER, FELL)
    assert said == ["39.1", "37.8"]
    said, mark = visit(mark, FEVER, FELL, temperature(371, "EA070B160C0A00"))
    assert said == ["37.1"]
    assert visit(mark, FEVER, FELL) == ([], mark)


def test_bytes_of_before_a_crash_come_before_the_opening() -> None:
    driver = GattThermometer()
    driver.reached = visit("", FEVER)[1]
    said = [*driver.on_bytes(FEVER, 0, RESULT), *driver.on_bytes(FELL, 0, RESULT)]
    assert [one.value for one in said if isinstance(one, Numeric)] == [Decimal("37.8")]
    list(driver.on_open(0))
    said = list(driver.on_bytes(temperature(371, "EA070B160C0A00"), 0, RESULT))
    assert isinstance(said[-1], Reached)
    assert len(said[-1].mark.split()) == 3


def test_nothing_at_all_is_said_of_a_repeated_measurement_and_it_is_counted() -> None:
    driver = GattThermometer()
    driver.reached = visit("", FEVER)[1]
    list(driver.on_open(0))
    assert list(driver.on_bytes(FEVER, 0, RESULT)) == []
    assert driver.counts.reasons == {"said before": 1}
    assert driver.counts.frames == 1


def test_a_clock_that_was_set_back_misses_nothing() -> None:
    _, mark = visit("", FEVER, FELL)
    assert visit(mark, OLD_CLOCK)[0] == ["38.0"]


def test_a_transfer_that_was_cut_goes_on_where_it_was_in_any_order() -> None:
    _, mark = visit("", FELL)
    assert visit(mark, FELL, FEVER)[0] == ["39.1"]


def test_alike_within_a_connection_are_two() -> None:
    said, mark = visit("", FEVER, FEVER)
    assert said == ["39.1", "39.1"]
    assert visit(mark, FEVER, FEVER, FEVER)[0] == ["39.1"]


@pytest.mark.parametrize("stamp", ["00000000000000", "EA0700160C0000", "EA070D160C0000"])
def test_without_a_whole_time_it_is_said_each_time(stamp: str) -> None:
    value = temperature(391, stamp)
    assert visit("", value) == (["39.1"], "")
    assert visit("", b"\4" + value[1:5] + b"\2") == (["39.1"], "")


def test_the_mark_is_bounded_and_forgets_the_oldest() -> None:
    values = [temperature(300 + at, NOON) for at in range(LIMIT_DIGESTS + 1)]
    said, mark = visit("", *values)
    assert len(said) == LIMIT_DIGESTS + 1
    assert len(mark) < LIMIT_DIGESTS * 9
    assert visit(mark, *values)[0] == ["30.0"]


def test_a_mark_of_nonsense_is_none() -> None:
    assert visit("\0 12 x y", FEVER)[0] == ["39.1"]


def test_asking_keeps_nothing() -> None:
    memory = Memory()
    for at in range(100):
        assert not memory.knows(bytes([at]))
    assert not memory._before


PUSHED: Iterable[tuple[type[Profile], str, str]] = (
    (GattBloodPressure, "2a35", "1E780050005800EA070B16071F004800010000"),
    (GattWeight, "2a9d", "025433EA070816082A24"),
    (GattBodyComposition, "2a9c", "0200C200EA07070E172920"),
    (GattOximeter, SPOT[4:8], "0162004E00EA070B16071F00"),
)


@pytest.mark.parametrize(("kind", "short", "value"), PUSHED)
def test_every_profile_with_a_memory(kind: type[Profile], short: str, value: str) -> None:
    source = f"0000{short}-0000-1000-8000-00805f9b34fb"
    first, again = kind(), kind()
    said = list(first.on_bytes(bytes.fromhex(value), 0, source))
    assert isinstance(said[-1], Reached)
    again.reached = said[-1].mark
    list(again.on_open(0))
    assert list(again.on_bytes(bytes.fromhex(value), 0, source)) == []
