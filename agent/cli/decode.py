"""`wardlink decode`: a recorded file through a driver, one JSON object an observation on stdout.

The file is raw bytes, hex lines (with or without times and `RX`/`TX`), or a capture. It is streamed.
`t` is seconds since the start: the capture's own times, or where a file has none, what its bytes take at the driver's
first line setting.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from drivers import capture, registry
from drivers.contract import Driver, Numeric, Output, Read, Scale, Send, Serial, Subscribe, Wave
from drivers.vocabulary import mdc_of

CHUNK_BYTES = 4096
CAPTURE_LIMIT_BYTES = 64 << 20
LINE_LIMIT_BYTES = 65536
_CAPTURE = re.compile(rb"(#[^\n]*\n)*driver:")
_HEX_TEXT = re.compile(rb"[0-9A-Fa-f\s]+\Z")
_HEX_LINE = re.compile(r"(?:.*\b(?P<way>RX|TX)\b)?\s*(?P<hex>(?:[0-9A-Fa-f]{2}\s*)+)$")
_encode = msgspec.json.Encoder(decimal_format="number", enc_hook=str).encode


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("decode", help="decode a recorded file", description=__doc__)
    parser.add_argument("--driver", required=True, metavar="ID", help="which driver; `wardlink drivers` lists them")
    parser.add_argument("--option", action="append", default=[], metavar="KEY=TEXT", help="an option of the driver's")
    parser.add_argument("file", help="the file, or - for standard input")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    driver = registry.driver(args.driver)(dict(option.partition("=")[::2] for option in args.option))
    with sys.stdin.buffer if args.file == "-" else Path(args.file).open("rb") as source:
        write = sys.stdout.buffer.write
        for at, output in capture.play(driver, chunks(source, line_of(driver))):
            if not isinstance(output, Send | Subscribe | Read):
                write(_encode(as_json(at, output)) + b"\n")
    sys.stdout.flush()
    counts = driver.counts
    skipped = counts.skipped + driver.pending()
    print(f"frames {counts.frames} bad {counts.bad} skipped-bytes {skipped}", file=sys.stderr)
    return 0


def line_of(driver: Driver) -> Serial:
    """The line setting whose speed stands in for a clock."""
    return next((claim for claim in driver.info.claims if isinstance(claim, Serial)), Serial(9600))


def chunks(source: IO[bytes], line: Serial) -> Iterator[tuple[int, bytes]]:
    """(nanoseconds, bytes) of a file in any of the three forms."""
    head = source.read(CHUNK_BYTES)
    if _CAPTURE.match(head):
        text = (head + source.read(CAPTURE_LIMIT_BYTES)).decode("utf-8")
        return capture.parse(text).chunks()
    if _HEX_TEXT.match(head) or re.search(rb"^\S+ \S+ [RT]X [0-9A-Fa-f]+\s*$", head, re.MULTILINE):
        return _paced(_hex_lines(head, source), line)
    return _paced(_pieces(head, source), line)


def _pieces(head: bytes, source: IO[bytes]) -> Iterator[bytes]:
    while head:
        yield head
        head = source.read(CHUNK_BYTES)


def _hex_lines(head: bytes, source: IO[bytes]) -> Iterator[bytes]:
    """Bytes of each line; lines sent to the device (`TX`) are left out."""
    rest = b""
    for piece in _pieces(head, source):
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > LINE_LIMIT_BYTES:  # one line may be the whole file
            cut = rest.rfind(b" ") + 1 or len(rest) // 2 * 2
            lines.append(rest[:cut])
            rest = rest[cut:]
        yield from _hex_bytes(lines)
    yield from _hex_bytes([rest])


def _hex_bytes(lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        found = _HEX_LINE.match(line.decode("latin-1").strip())
        if found and found["way"] != "TX":
            yield bytes.fromhex(found["hex"])


def _paced(pieces: Iterable[bytes], line: Serial) -> Iterator[tuple[int, bytes]]:
    byte_bits = 1 + line.bits + (line.parity != "N") + line.stop
    total = 0
    for piece in pieces:
        total += len(piece)
        yield total * byte_bits * 1_000_000_000 // line.baud, piece


def as_json(at: int, output: Output) -> dict[str, Any]:
    """An output as `decode` prints it: absent fields are left out, numbers are exact."""
    row: dict[str, Any] = {"t": at / 1e9, "kind": _kind(output)}
    if isinstance(output, Numeric):
        row |= {"channel": output.channel, "unit": output.unit, "mdc": mdc_of(output.channel)}
        row |= {"value": output.value} if output.value is not None else {}
        return row | ({"why": str(output.why)} if output.why else {})
    if isinstance(output, Wave):
        row |= {"channel": output.channel, "unit": output.scale.unit, "mdc": mdc_of(output.channel)}
        row |= _scale(output.scale)
        row |= {"first": output.first} if output.first is not None else {}
        row |= {"marks": [[m.at, m.kind, m.count] for m in output.marks]} if output.marks else {}
        return row | {"samples": output.samples}
    fields = {name: getattr(output, name) for name in output.__slots__}
    return row | {name: _plain(value) for name, value in fields.items() if value not in ("", None)}


def _scale(scale: Scale) -> dict[str, Any]:
    row: dict[str, Any] = {"rate": float(scale.rate), "gain": float(scale.gain), "offset": float(scale.offset)}
    row |= {"bits": scale.bits} if scale.bits else {}
    return row | ({"filter": scale.filter} if scale.filter else {})


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return value if isinstance(value, int | float) else str(value)


def _kind(output: Output) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", type(output).__name__).lower()
