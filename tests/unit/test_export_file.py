"""The file of an export: every byte of it is checked, and what is left of a damaged one can be read."""

from __future__ import annotations

import io

import pytest

from tests.sealed import Bedside, block, reading
from wire import export
from wire.envelope import header_of
from wire.export import End, ExportError, Fault, Head, Writer
from wire.topics import Class


def backlog(bedside: Bedside) -> list[bytes]:
    made = [bedside.grant()]
    made += [bedside.vital(reading(n)) for n in range(3)] + [bedside.wave(block(0))]
    return [arrival.data for arrival in made]


def written(envelopes: list[bytes], gateway: str = "a" * 20, missing: tuple = ()) -> bytes:
    out = io.BytesIO()
    writer = Writer(out.write, Head(1, gateway, "north", envelopes[0], 1))
    for data in envelopes:
        writer.add(data)
    writer.end(list(missing), 1)
    return out.getvalue()


def items(data: bytes, lenient: bool = False) -> list:
    return list(export.read(io.BytesIO(data), lenient))


def test_what_was_written_is_what_is_read() -> None:
    envelopes = backlog(Bedside())
    first, second, *bodies, end = items(written(envelopes, missing=((1, 1, 7, 9),)))
    assert first == second == Head(1, "a" * 20, "north", envelopes[0], 1)
    assert bodies == [(header_of(data), data) for data in envelopes]
    assert isinstance(end, End)
    assert [(row.cls, row.epoch, row.count) for row in end.rows] == [(0, 1, 1), (1, 1, 3), (2, 1, 1)]
    assert (end.count, end.missing, end.unnamed) == (5, [(1, 1, 7, 9)], 1)


def test_any_altered_byte_is_noticed_and_costs_its_record_only() -> None:
    whole = written(backlog(Bedside()))
    for at in range(len(whole)):
        altered = whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :]
        with pytest.raises(ExportError):
            items(altered)
        found = items(altered, lenient=True)
        assert any(isinstance(item, Fault) for item in found), at
        assert sum(isinstance(item, tuple) for item in found) >= 4, at
        assert any(isinstance(item, Head) for item in found), "it stands there twice"


def test_a_file_cut_anywhere_has_no_end() -> None:
    whole = written(backlog(Bedside()))
    for size in range(len(whole)):
        assert not any(isinstance(item, End) for item in items(whole[:size], lenient=True))
    assert not isinstance(items(whole[: whole.rindex(export.MAGIC)])[-1], End), "cut between two records"


def test_a_record_taken_out_or_doubled_is_noticed() -> None:
    whole = written(backlog(Bedside()))
    places = [at for at in range(len(whole)) if whole[at : at + 4] == export.MAGIC]
    with pytest.raises(ExportError, match="not what was written"):
        items(whole[: places[3]] + whole[places[4] :])
    with pytest.raises(ExportError, match="not what was written"):
        items(whole[: places[4]] + whole[places[3] :])


def test_records_that_changed_places_are_noticed() -> None:
    whole = written(backlog(Bedside()))
    a, b, c = [at for at in range(len(whole)) if whole[at : at + 4] == export.MAGIC][3:6]
    with pytest.raises(ExportError, match="not what was written"):
        items(whole[:a] + whole[b:c] + whole[a:b] + whole[c:])


def test_magic_inside_an_envelope_misleads_nobody() -> None:
    data = header_of(backlog(Bedside())[1]).pack() + export.MAGIC * 20
    whole = written([backlog(Bedside())[0], data, data])
    start = whole.index(data) - 6
    damaged = whole[:start] + b"\xff" + whole[start + 1 :]
    assert [item[0].cls for item in items(damaged, lenient=True) if isinstance(item, tuple)] == [Class.KEY, Class.VITAL]


def test_garbage_is_no_export() -> None:
    with pytest.raises(ExportError, match="no record at byte 0"):
        items(b"\0" * 5000)
    assert [type(item) for item in items(b"WLe" * 50_000, lenient=True)] == [Fault]
