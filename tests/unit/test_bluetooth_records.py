"""The record access control point against simulated devices: nothing is missed whatever is cut, erased or wrapped."""

import random
from collections.abc import Iterable

import pytest

from drivers.bluetooth.records import Records, every, mark_of, refusal, since
from drivers.contract import Masked, Reached, Send

DONE, NONE, NOT_SUPPORTED, BUSY = 1, 6, 4, 10
Memory = list[tuple[int, str]]  # numbers and tokens, the oldest first


class Device:
    """Keeps `memory`; `knows_since` is whether it understands more than `all records`; may send the newest first."""

    def __init__(self, memory: Memory, knows_since: bool = True, by_number: bool = False) -> None:
        self.memory, self.knows_since, self.by_number = memory, knows_since, by_number

    def asked(self, request: bytes) -> tuple[Memory, int]:
        if request == b"\1\1":
            found = list(self.memory)
        elif not self.knows_since:
            return [], NOT_SUPPORTED
        else:
            assert request[:3] == b"\1\3\1"
            least = int.from_bytes(request[3:], "little")
            found = [one for one in self.memory if one[0] >= least]
        return sorted(found) if self.by_number else found, DONE if found else NONE


def visit(device: Device, reached: str, cut: int | None = None, width: int = 2) -> tuple[Memory, str, list[bytes]]:
    """One connection, cut after so many records: what is said, the mark after it, what was asked."""
    records = Records(width)
    said: Memory = []
    asked: list[bytes] = []
    pending = [records.open(reached)]
    while pending:
        request = pending.pop()
        asked.append(request.data)
        found, code = device.asked(request.data)
        for one in found:
            if cut is not None and len(said) >= cut:
                return said, reached, asked
            if records.is_news(*one):
                said.append(one)
                for mark in records.told(one[0]):
                    reached = mark.mark
        for output in records.answered(bytes((6, 0, 1, code))):
            if isinstance(output, Reached):
                reached = output.mark
            else:
                assert isinstance(output, Send)
                pending.append(output)
    assert not records.is_reading
    return said, reached, asked


def numbered(numbers: Iterable[int], history: str = "a") -> Memory:
    return [(number, f"{history}{number}") for number in numbers]


def test_first_all_then_only_what_is_new() -> None:
    said, mark, asked = visit(Device(numbered(range(1, 6))), "")
    assert (said, mark, asked) == (numbered(range(1, 6)), "5 a5", [b"\1\1"])
    said, mark, asked = visit(Device(numbered(range(1, 8))), mark)
    assert (said, mark, asked) == (numbered([6, 7]), "7 a7", [bytes.fromhex("0103010500")])
    assert visit(Device(numbered(range(3, 8))), mark)[:2] == ([], "7 a7")


def test_a_memory_that_begins_again_is_said_whole() -> None:
    for again in (range(1, 4), range(1, 9), range(7, 9)):
        device = Device(numbered(again, "b"))
        said, mark, _ = visit(device, "5 a5")
        assert sorted(said) == device.memory
        assert mark == f"{again[-1]} b{again[-1]}"


def test_an_erased_memory_keeps_the_mark_and_what_comes_is_said() -> None:
    assert visit(Device([]), "5 a5")[:2] == ([], "5 a5")
    records = Records()
    records.open("5 a5")
    list(records.answered(bytes((6, 0, 1, NONE))))
    list(records.answered(bytes((6, 0, 1, NONE))))
    assert records.is_news(1, "b1")


def test_numbers_wrap() -> None:
    memory = numbered([65533, 65534, 65535, 0, 1])
    for by_number in (False, True):
        said, mark, asked = visit(Device(memory, by_number=by_number), "65534 a65534")
        assert (sorted(said), mark) == (numbered([0, 1, 65535]), "1 a1")
        assert asked[1:] == [b"\1\1"]
        assert visit(Device(memory + numbered([2]), by_number=by_number), mark)[:2] == (numbered([2]), "2 a2")


def test_a_device_that_knows_no_more_than_all() -> None:
    said, mark, asked = visit(Device(numbered(range(1, 8)), knows_since=False), "5 a5")
    assert (said, mark) == (numbered([6, 7]), "7 a7")
    assert asked[1:] == [b"\1\1"]
    said, _, asked = visit(Device(numbered(range(1, 8), "b"), knows_since=False), "5 a5")
    assert sorted(said) == numbered(range(1, 8), "b")
    assert len(asked) == 3


def test_an_error_moves_no_mark() -> None:
    records = Records()
    records.open("")
    assert records.is_news(1, "a1")
    assert list(records.told(1)) == []
    assert list(records.answered(bytes((6, 0, 1, BUSY)))) == []
    assert not records.is_reading


def test_a_gap_in_the_row_waits_for_the_end() -> None:
    device = Device(numbered([1, 2, 3, 7, 8]))
    assert visit(device, "", cut=4)[1] == "3 a3"
    assert visit(device, "")[1] == "8 a8"


def test_the_newest_first_marks_nothing_before_the_end() -> None:
    memory = numbered(range(9, 0, -1))
    assert visit(Device(memory), "", cut=8)[1] == ""
    assert visit(Device(memory), "")[1] == "9 a9"


@pytest.mark.parametrize(
    ("offsets", "marks"),
    [
        ((10, 15, 20, 25), ["20", "25"]),
        ((10, 40, 15, 20, 25), ["25"]),  # 40 is measured while the memory is told
        ((10, 15, 300, 20, 25, 305, 30, 35, 40), ["40"]),
        ((10, 40, 15), []),
        ((10, 90, 170), []),
    ],
)
def test_a_step_that_is_seen(offsets: tuple[int, ...], marks: list[str]) -> None:
    records = Records(step=0)
    records.open("")
    said = [reached for at in offsets if records.is_news(at, "s") for reached in records.told(at)]
    assert [one.mark for one in said] == [f"{mark} s" for mark in marks]


@pytest.mark.parametrize("seed", range(300))
def test_nothing_is_missed_in_any_life_of_a_device(seed: int) -> None:
    """Measures, forgets its oldest, is erased, begins again, near the wrap or not; connections are cut anywhere."""
    rng = random.Random(seed)
    number, history, mark = rng.choice([0, 1, 65500, 65530]), "a", ""
    memory: Memory = []
    taken: set[tuple[int, str]] = set()
    said: list[tuple[int, str]] = []
    knows, by_number = rng.random() < 0.8, rng.random() < 0.2 and number < 2
    for _ in range(30):
        for _ in range(rng.randint(0, 4)):
            memory.append((number, f"{history}{number}"))
            number = (number + rng.choice([1, 1, 1, 1, 2])) % 65536
        memory = memory[-12:]
        if rng.random() < 0.05:
            memory, number, history = [], rng.choice([0, number]), chr(ord(history) + 1)
        device = Device(memory, knows, by_number)
        some, mark, _ = visit(device, mark, rng.choice([None, None, 0, 1, 3, 7]))
        said += some
        some, mark, _ = visit(device, mark)
        said += some
        taken |= set(memory)
        assert set(said) == taken
        assert visit(device, mark)[0] == [], "what was read to the end comes once"


@pytest.mark.parametrize("mark", ["", "5", "5 ", " a", "x a", "65536 a", "-1 a", "\u0665 a", "9" * 5000 + " a"])
def test_a_mark_of_nonsense_is_none(mark: str) -> None:
    assert mark_of(mark, 2) is None
    assert Records().open(mark).data == b"\1\1"


def test_no_mask_lets_a_byte_out_that_deletes() -> None:
    for mask in (since(2), since(4), since(4, 7)):
        assert not any(mask.free[:3])
        for op_code in (0, 2, 3, 4, 5, 6):
            assert not mask.fits(bytes((op_code,)) + mask.data[1:])
    assert isinstance(since(2), Masked)
    assert every() == b"\1\1"
    assert every(7) == b"\7\1"


def test_only_an_answer_to_the_request_ends_it() -> None:
    assert refusal(bytes.fromhex("06000101")) == refusal(bytes.fromhex("06000106")) == ""
    assert refusal(bytes.fromhex("06000108")) == "procedure not completed"
    assert refusal(bytes.fromhex("0600013F")) == "code 63"
    for other in ("06000401", "05000100", "06010101"):
        assert refusal(bytes.fromhex(other)) is None
    records = Records()
    records.open("")
    assert list(records.answered(bytes.fromhex("05000100"))) == []
    assert records.is_reading
