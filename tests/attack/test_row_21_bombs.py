"""Row 21: little that claims to be much. Depth, size and ratio are bounded before anything is unpacked.

One thing of ours is compressed by a general method, the bundle of a diagnosis, and it is bounded. The other bomb is the
codec's own, where a flat line costs next to nothing: 64 channels of 65 535 samples are 27 bytes. An enrolled gateway in
a thief's hands could say thousands of them in one bundle; no reader decodes more than 2^22 samples of one.
"""

from __future__ import annotations

import ast
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import cbor2
import msgspec
import numpy as np
import pytest

from centre import outline
from drivers.hl7 import messages
from tests.test_tidy import SOURCES, imports
from wire import bundle, cbor, codec, command, diagnosis, export, receipt
from wire.bundle import BUNDLE_SAMPLES_LIMIT, BundleError
from wire.records import Block

FLAT = codec.encode(np.zeros((64, 65535), np.int32))
PACKERS = {
    "gzip",
    "bz2",
    "lzma",
    "zipfile",
    "tarfile",
    "zstandard",
    "zstd",
    "lz4",
    "brotli",
    "pickle",
    "shelve",
    "marshal",
}


def test_nothing_unpacks_what_others_packed() -> None:
    """zlib is for its CRC alone, but for a diagnosis and for outlines, which are bounded (below); exports write."""
    for path in SOURCES:
        packers = {name.split(".")[0] for name in imports(path)} & PACKERS
        assert not packers or (path.name == "deliver.py" and packers == {"zipfile"}), path
        assert path.name != "deliver.py" or '"w"' in path.read_text(), path
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "zlib":
                assert node.attr in ("crc32", "adler32") or path.name in ("diagnosis.py", "outline.py", "trend.py"), (
                    f"{path}: {node.attr}"
                )


def test_a_zip_bomb_in_an_outline_stops_at_its_limit() -> None:
    bomb = zlib.compress(bytes(20_000_000), 9)
    tracemalloc.start()
    assert outline.unpacked(bomb).shape == (2, outline.BUCKETS_COUNT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_a_zip_bomb_in_a_diagnosis_stops_at_its_limit() -> None:
    bomb = zlib.compress(bytes(20 * diagnosis.PLAIN_LIMIT_BYTES), 9)
    tracemalloc.start()
    with pytest.raises(diagnosis.DiagnosisError, match="too large"):
        diagnosis._unpack(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * diagnosis.PLAIN_LIMIT_BYTES


def flat_lines(count: int) -> bytes:
    return bundle.pack_wave([Block(0, 0, 64, at * 65535, 65535, FLAT) for at in range(count)])


def test_a_flat_line_is_small_and_that_is_why() -> None:
    assert len(FLAT) < 64
    assert len(flat_lines(20_000)) < bundle.BUNDLE_LIMIT_BYTES


@pytest.mark.parametrize("count", [2, 100, 20_000])
def test_a_bundle_of_flat_lines_is_refused_before_it_is_decoded(count: int) -> None:
    data = flat_lines(count)
    tracemalloc.start()
    with pytest.raises(BundleError, match="samples"):
        bundle.read_wave(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100_000 + 200 * len(data)


def test_the_largest_single_block_is_still_a_block() -> None:
    (block,) = bundle.read_wave(flat_lines(1))
    assert block.rows * block.count <= BUNDLE_SAMPLES_LIMIT


DEEP = b"\x81" * 100_000 + b"\x00"
LIES = {
    "an array of 2^32-1": b"\x9a\xff\xff\xff\xff",
    "an array of 2^64-1": b"\x9b" + b"\xff" * 8,
    "a map of 2^64-1": b"\xbb" + b"\xff" * 8,
    "bytes of 2^32-1": b"\x5a\xff\xff\xff\xff",
    "bytes of 2^63": b"\x5b\x80" + bytes(7),
    "a text of 2^40": b"\x7b" + (1 << 40).to_bytes(8, "big"),
    "depth of 100000": DEEP,
    "a number of 2^63 digits": b"\xc4\x82\x1b\x7f" + b"\xff" * 7 + b"\x01",
    "a bignum of 64 KiB": b"\xc2\x59\xff\xff" + b"\xff" * 65535,
    "an indefinite array": b"\x9f" + b"\x00" * 1000,
}


@pytest.mark.parametrize("name", LIES)
def test_lengths_that_lie_cost_no_more_than_what_came(name: str) -> None:
    readers: list[tuple[Callable[[bytes], object], type[Exception]]] = [
        (cbor.loads, cbor.CBORError),
        (bundle.read_vital, BundleError),
        (bundle.read_wave, BundleError),
    ]
    for data in (LIES[name], b"\x82\x00" + LIES[name]):
        for read, error in readers:
            tracemalloc.start()
            with pytest.raises(error):
                read(data)
            _, peak = tracemalloc.get_traced_memory()
            tracemalloc.stop()
            assert peak < 1 << 20


def test_sizes_are_looked_at_first() -> None:
    assert receipt.RECEIPT_LIMIT_BYTES == 64 << 10
    assert command.COMMAND_LIMIT_BYTES <= 64 << 10
    assert cbor.DEPTH_LIMIT_COUNT <= 16


@pytest.mark.parametrize("size", [0xFFFFFFFF, 1 << 31, 1 << 24])
def test_an_export_that_declares_gigabytes_is_refused(size: int, tmp_path: Path) -> None:
    file = tmp_path / "export"
    checked = struct.pack(">BI", 1, size)
    file.write_bytes(export.MAGIC + checked + zlib.crc32(checked).to_bytes(4, "big") + b"x" * 100)
    tracemalloc.start()
    with file.open("rb") as source, pytest.raises(export.ExportError):
        list(export.read(source))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 << 20


def test_json_and_texts_nested_or_escaped_without_end() -> None:
    with pytest.raises((msgspec.DecodeError, RecursionError)):
        msgspec.json.decode(b"[" * 100_000, type=dict[str, list[int]])
    message = b"MSH|^~\\&|||||||ORU^R01|1|P|2.3.1|\rOBX||NM|" + b"\\X41\\" * 10_000
    parsed = messages.parse(message)
    assert parsed is None or len(parsed.segments[1].text(3)) <= len(message)
    assert cbor2.loads(b"\x01") == 1
