"""Bits per sample and CPU time of the waveform codec on a folder of WFDB records: `codec_table.py FOLDER`.

Prints `name value unit` lines for chunks of one second. Reads .hea headers with .dat files of formats 16, 212
and 80 and .mat files of 16-bit samples; format 516 (FLAC) where `soundfile` can be imported. Signals of one
record and one rate are coded together, as the gateway does.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from importlib import import_module, util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from wire.codec import decode, encode

CHUNKS_MAX = 25  # of a record, evenly spread
SIGNAL = re.compile(r"(?P<format>\d+)(?:x(?P<per_frame>\d+))?(?::(?P<skew>\d+))?(?:\+(?P<offset>\d+))?")
Samples = NDArray[np.int32]


def signals(header: Path) -> Iterator[tuple[str, int, Samples]]:
    """(name, samples per second, samples of shape (channels, n)) of each file and rate of a record."""
    lines = [line.split() for line in header.read_text().splitlines() if line.strip() and not line.startswith("#")]
    if "/" in lines[0][0]:
        return  # a list of segments; they have headers of their own
    rate = float(lines[0][2].split("/")[0])
    files: dict[str, list[re.Match[str]]] = {}
    for file, spec, *_ in lines[1 : 1 + int(lines[0][1])]:
        match = SIGNAL.match(spec)
        if match:
            files.setdefault(file, []).append(match)
    for file, specs in files.items():
        frames = read_frames(header.parent / file, specs)
        if frames is not None:
            yield from by_rate(f"{header.stem}.{file.rpartition('.')[2]}", rate, specs, frames)


def by_rate(name: str, rate: float, specs: list[re.Match[str]], frames: Samples) -> Iterator[tuple[str, int, Samples]]:
    groups: dict[int, list[Samples]] = {}
    at = 0
    for spec in specs:
        count = int(spec["per_frame"] or 1)
        groups.setdefault(count, []).append(frames[:, at : at + count].ravel())
        at += count
    for count, rows in groups.items():
        yield f"{name}@{round(rate * count)}", round(rate * count), np.stack(rows)


def read_frames(path: Path, specs: list[re.Match[str]]) -> Samples | None:
    """Samples of a file, one frame a line; None where it is missing or cannot be read here."""
    kind, width = int(specs[0]["format"]), sum(int(spec["per_frame"] or 1) for spec in specs)
    if not path.exists() or kind not in (16, 80, 212, 516):
        return None
    if kind == 516:
        return read_flac(path, specs)
    data = path.read_bytes()[int(specs[0]["offset"] or 0) :]
    if kind == 16:
        flat = np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.int32)
    elif kind == 80:
        flat = np.frombuffer(data, np.uint8).astype(np.int32) - 128
    else:
        flat = unpack_212(data)
    return flat[: len(flat) // width * width].reshape(-1, width)


def unpack_212(data: bytes) -> Samples:
    """Two 12-bit samples in three bytes."""
    triples = np.frombuffer(data[: len(data) // 3 * 3], np.uint8).reshape(-1, 3).astype(np.int32)
    first = triples[:, 0] | (triples[:, 1] & 15) << 8
    second = triples[:, 2] | (triples[:, 1] >> 4) << 8
    flat: Samples = np.stack([first, second], axis=1).ravel()
    return np.where(flat > 2047, flat - 4096, flat).astype(np.int32)


def read_flac(path: Path, specs: list[re.Match[str]]) -> Samples | None:
    if util.find_spec("soundfile") is None:
        return None
    counts = [int(spec["per_frame"] or 1) for spec in specs]
    rows, _ = import_module("soundfile").read(path, dtype="int32", always_2d=True)
    shift = 32 - {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}[import_module("soundfile").info(str(path)).subtype]
    columns = [(rows[:, column] >> shift).reshape(-1, count) for column, count in enumerate(counts)]
    return np.concatenate(columns, axis=1).astype(np.int32)


def measure(rate: int, samples: Samples) -> tuple[float, float, float]:
    """(bits a sample, encode ms, decode ms): mean and medians over chunks of one second."""
    last = samples.shape[1] // rate
    bits, coded, undone = 0, [], []
    picked = sorted({round(at) for at in np.linspace(0, last - 1, min(last, CHUNKS_MAX))})
    for at in picked:
        chunk = np.ascontiguousarray(samples[:, at * rate : (at + 1) * rate])
        encode(chunk)
        begin = time.process_time()
        data = encode(chunk)
        middle = time.process_time()
        back = decode(data, *chunk.shape)
        undone.append(time.process_time() - middle)
        coded.append(middle - begin)
        if not np.array_equal(back, chunk):
            raise SystemExit("error: a chunk did not come back\nhint: this is a bug; keep the record")
        bits += 8 * len(data)
    size = len(picked) * rate * samples.shape[0]
    return bits / size, 1e3 * float(np.median(coded)), 1e3 * float(np.median(undone))


def main() -> None:
    for header in sorted(Path(sys.argv[1]).rglob("*.hea")):
        for name, rate, samples in signals(header):
            bits, coding, undoing = measure(rate, samples)
            shape = f"{samples.shape[0]}x{rate}"
            print(f"codec.{name}.{shape}.size {bits:.3f} bit/sample")
            print(f"codec.{name}.{shape}.encode {coding:.2f} ms")
            print(f"codec.{name}.{shape}.decode {undoing:.2f} ms")


if __name__ == "__main__":
    main()
