"""A real ECG in place of the noise: feeder and verifier of a scratch copy of the harness then speak and expect it."""

from __future__ import annotations

import json
from pathlib import Path

from bench.codec_table import Samples, signals
from bench.scratch import HarnessError, Scratch

RECORD = "A0005"  # CPSC 2018: 12 leads, 500 samples a second
FILE = "feed.json"
PROTOCOLS = f"""

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "{FILE}")) as _feed:
    ECG_TABLE = [tuple(row) for row in json.load(_feed)]
PERIOD = len(ECG_TABLE)
_ECG_PACKED = [struct.pack("<12h", *row) for row in ECG_TABLE]
"""


def play(scratch: Scratch, records: Path) -> None:
    """From now on the runs of `scratch` feed the record, again and again. Raises HarnessError."""
    folder = scratch.folder / "harness"
    (folder / FILE).write_text(json.dumps(record(records).T.tolist()))
    protocols = folder / "protos.py"
    protocols.write_text("import json, os\n" + protocols.read_text() + PROTOCOLS)


def record(records: Path) -> Samples:
    """Shape (12, n). Raises HarnessError where the record is not there."""
    for header in sorted(records.rglob(f"{RECORD}.hea")):
        for _, _, samples in signals(header):
            return samples
    raise HarnessError(f"{records} holds no record {RECORD}")
