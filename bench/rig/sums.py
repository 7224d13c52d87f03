"""What a country needs, from what was measured, as a table: `python -m bench.rig.sums docs/evidence/rig.jsonl`.

Of each kind of run the newest line counts: the hollow ones tell what the broker takes, with TLS and without, the others
what a centre and PostgreSQL take for each envelope. Nothing is measured here, and what is assumed is named below.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RATE_S = 0.5  # envelopes of a gateway
NEEDS = (("134 hospitals x 50 beds", 134 * 50), ("1 600 hospitals x 100 beds", 1600 * 100))
BUSY = 0.7  # of a processor: what one may be asked for, so that a burst does not queue
AROUND_BYTES = 120  # MQTT, TLS 1.3 and TCP/IP around a small packet (agent/uplink/lanes.py)
SEGMENT_BYTES, SEGMENT_HEAD_BYTES = 1448, 52
# EMQX 5.1, one node of 32 processors: 100 000 clients, each a QoS 1 publication of 1 kB a second, forwarded to Kafka,
# 76 % of the processors. A receipt is a publication too.
EMQX_US, PUBLICATIONS = 0.76 * 32 / 100_000 * 1e6, 2
RECEIPT_BYTES = 150
DAY_S = 86_400
Json = dict[str, Any]


class SumsError(Exception):
    """A measurement is missing; says which."""


@dataclass(frozen=True, slots=True)
class Measured:
    """By envelope: microseconds of processor of the parts, bytes on the wire and in the store."""

    broker_us: float
    centre_us: float
    store_us: float
    envelope_bytes: float
    stored_bytes: float
    log_bytes: float  # what PostgreSQL wrote to the disk meanwhile: mostly its log


def measured(lines: list[Json], bed: str) -> Measured:
    """Raises SumsError."""
    broker = _newest(lines, store="hollow", tls=True)
    centre = _newest(lines, store="postgresql", bed=bed)
    count = centre["offered"] - centre["gateways"]
    return Measured(
        broker["cpu_us_per_envelope"]["broker"],
        centre["cpu_us_per_envelope"]["centre"],
        centre["cpu_us_per_envelope"]["store"],
        centre["envelope_bytes"],
        centre["store_bytes_per_envelope"],
        centre["use"]["written_mb"]["store"] * 1e6 / count,
    )


def rows(one: Measured) -> Iterator[tuple[str, list[float]]]:
    """(what, its value for each need)."""
    rates = [gateways * RATE_S for _, gateways in NEEDS]
    wire = one.envelope_bytes + AROUND_BYTES + one.envelope_bytes // SEGMENT_BYTES * SEGMENT_HEAD_BYTES
    yield "connections", [gateways for _, gateways in NEEDS]
    yield "envelopes a second; receipts as many", rates
    yield "Mbit/s from gateways", [rate * wire * 8e-6 for rate in rates]
    yield "Mbit/s to gateways (receipts)", [rate * (RECEIPT_BYTES + AROUND_BYTES) * 8e-6 for rate in rates]
    yield "processors of mosquitto", [rate * one.broker_us * 1e-6 for rate in rates]
    yield "processors of EMQX, by its maker's figure", [rate * PUBLICATIONS * EMQX_US * 1e-6 for rate in rates]
    yield "processors of centres", [rate * one.centre_us * 1e-6 for rate in rates]
    yield f"consumers, one processor {BUSY:.0%} busy each", [rate * one.centre_us * 1e-6 / BUSY for rate in rates]
    yield "processors of PostgreSQL", [rate * one.store_us * 1e-6 for rate in rates]
    yield "PostgreSQL writes, MB/s", [rate * one.log_bytes * 1e-6 for rate in rates]
    yield "PostgreSQL grows, GB a day", [rate * one.stored_bytes * DAY_S * 1e-9 for rate in rates]


def table(one: Measured) -> str:
    head = f"| | {' | '.join(name for name, _ in NEEDS)} |\n|---|{'---|' * len(NEEDS)}\n"
    return head + "".join(f"| {what} | {' | '.join(map(_short, values))} |\n" for what, values in rows(one))


def _newest(lines: list[Json], **wanted: object) -> Json:
    found = [line for line in lines if "cpu_us_per_envelope" in line and wanted.items() <= line.items()]
    if not found:
        raise SumsError(f"no line of {wanted}")
    return found[-1]


def _short(value: float) -> str:
    return f"{value:,.0f}".replace(",", " ") if value >= 10 else f"{value:.2g}"


def main() -> int:
    lines = [json.loads(line) for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()]
    try:
        for bed in ("waves", "numerics"):
            print(f"bed: {bed}\n\n{table(measured(lines, bed))}")
    except SumsError as error:
        print(f"error: {error}\n\nhint: python -m bench.rig run ... --out {sys.argv[1]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
