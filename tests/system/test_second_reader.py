"""The formats, proven by a second reader: docs/examples/read.mjs, written in JavaScript from the documents alone.

What our own code seals, codes, spools and exports must come out of it as it went in; what is altered must not.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.cli.entry import main
from agent.spool import Spool, Stored
from wire import bundle, codec, records
from wire.envelope import Header
from wire.export import Head, Writer
from wire.keys import RecipientSecret, gateway_id
from wire.records import Block, MarkAt, NumericAt, Record, StreamInfo
from wire.seal import Sealer
from wire.statement import Recovered, Sealed
from wire.topics import Class

ROOT = Path(__file__).parents[2]
READER = ROOT / "docs" / "examples" / "read.mjs"
VECTORS = json.loads((ROOT / "tests" / "vectors" / "codec.json").read_text(encoding="utf-8"))
OURS = RecipientSecret("x25519", bytes(range(32)))
OTHERS = (RecipientSecret("xwing", bytes(range(96))), RecipientSecret("x25519", bytes(range(1, 33))))
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
SAFE = 1 << 53
GATEWAY = gateway_id(SIGNER.public_key())
Envelope = tuple[Header, bytes]
T = 7_000_000_000

VITALS: list[Record] = [
    records.Catalogue(
        T, 0, "contec_v7", "none", "/dev/serial/by-path/1", "Contec", "CMS60C", "user", "4.6",
        [StreamInfo(0, "spo2", 150456, "%"), StreamInfo(1, "pleth", 150452, "1", (60, 1), (1, 3), (-7, 2), 7, "é", 5)],
    ),
    records.Anchor(T + 1, 1_795_305_600_000_000, None, "unsynchronised"),
    records.Anchor(T + 2, 1_795_305_600_000_000, 1500, "ntp"),
    NumericAt(T + 3, 0, Decimal("97.00")),
    NumericAt(T + 4, 0, Decimal("-0.05"), "questionable"),
    NumericAt(T + 5, 0, None, "sensor-off"),
    NumericAt(T + 6, 0, -3),
    NumericAt(T + 7, 0, -(1 << 61) - 1),
    NumericAt(T + 8, 0, Decimal("120")),
    records.AlarmAt(T + 9, 0, "HR", "HIGH HEART RATE", "unknown", "on", "ecg.hr"),
    records.StatusAt(T + 10, 0, "AO", "off"),
    records.DeviceTimeAt(T + 11, 0, "2004-01-07T11:24:50", None),
    records.DeviceTimeAt(T + 12, 0, "", (1 << 61) + 1, (8000, 1)),
    records.StreamGap(T + 13, 1, 250, None, "parse"),
    records.StreamGap(T + 14, 1, 250, 4, "device-lost"),
    records.EnvelopeGap(T + 15, 6, 2, 0, (1 << 32) - 1, "evicted"),
    records.Association(T + 16, "none", "unvalidated", "", "", "lit n° 3"),
    records.Association(T + 16, "scan", "wrong", "n-12", "p-abc", "lit n° 3", (6, 5), (7, 1 << 40), "wrong"),
    records.Association(T + 16, "adt", "validated", "n-12", "p-abc", "lit n° 3", (7, 1 << 40)),
    records.SessionAt(T + 17, 0, "closed", "unplugged"),
    records.PatientIdAt(T + 18, 0, "0042", "\u202eX"),
    records.Line(T + 19, 0, 100, 2, 31),
    records.Room(T + 14, 2, 5, None),
    records.Room(T + 15, 1, 0, 3_600_000),
    records.Boot(T + 16, bytes(range(16)), 41),
    records.AuditHead(T + 16, 41, bytes(range(32))),
]  # fmt: skip


@pytest.fixture(scope="session")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.fail("node is missing, and with it the proof of the formats: apt-get install nodejs (18 or later)")
    return found


def read(node: str, file: Path, gateway: str, secret: RecipientSecret = OURS) -> list[dict[str, Any]]:
    """What the second reader says of an exported file, one object a line."""
    done = subprocess.run([node, READER, gateway, secret.text(), file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def refusal(node: str, file: Path, gateway: str, secret: RecipientSecret = OURS) -> str:
    done = subprocess.run([node, READER, gateway, secret.text(), file], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stdout
    return done.stderr


def sealer(epoch: int = 1) -> Sealer:
    return Sealer(SIGNER, [secret.recipient for secret in (*OTHERS, OURS)], epoch, b"8 random")


def written(path: Path, envelopes: Iterable[Envelope], gateway: str = GATEWAY) -> Path:
    """As `spool export` writes it; `gateway` is who it says it is of."""
    with path.open("wb") as out:
        writer = Writer(out.write, Head(1, gateway, "", b"", 0))
        for _, data in envelopes:
            writer.add(data)
        writer.end([], 0)
    return path


def spooled(folder: Path, made: Sealer, envelopes: list[Envelope]) -> Path:
    """The envelopes through a spool on the disk and our own export."""
    spool = Spool.open(folder / "spool", dict.fromkeys((0, 1, 2), 8 << 20))
    for header, data in envelopes:
        spool.append(Stored(int(header.cls), header.epoch, header.hour, header.seq, data))
    spool.commit()
    spool.close()
    assert main(["spool", "export", "--folder", str(folder / "spool"), str(folder / "out")]) == 0
    return folder / "out"


def plain(value: Any) -> Any:
    """As JSON carries it: decimals and what does not fit a double as text, bytes in hex."""
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, Decimal) or (isinstance(value, int) and abs(value) >= SAFE):
        return str(value)
    return value.hex() if isinstance(value, bytes) else value


def chunks() -> list[np.ndarray]:
    """Shapes that make the encoder choose each of its ways; new ones would show as a failure here."""
    rng = np.random.default_rng(2026)
    t = np.arange(500)
    beat = 900 * np.exp(-((((t % 210) - 60) / 6.0) ** 2)) + 120 * np.exp(-((((t % 210) - 130) / 25.0) ** 2))
    leads = np.array([beat, 0.6 * beat]) + rng.normal(0, 3, (2, 500)).cumsum(axis=1) * 0.05
    i, ii = np.rint(leads).astype(np.int64)
    limb = np.array([i, ii, ii - i, -(i + ii) // 2, (2 * i - ii) // 2, (2 * ii - i) // 2])
    spikes = rng.integers(-1, 2, (2, 400))
    spikes[:, 20::40] = [40, 300, -3000, 20_000, -90_000, 1_000_000, -(1 << 29), 700, -40, 5000]  # each kind of tail
    shared = np.rint(np.outer(rng.uniform(0.2, 1, 8), beat) + rng.normal(0, 4, (8, 500)))
    return [
        limb,
        limb * 5 + 2,
        shared,
        spikes,
        np.rint(rng.normal(0, 40, (1, 1000)).cumsum(axis=1)),
        np.rint(1e4 * np.sin(t / 30))[None],
        np.rint(rng.normal(0, 1, (3, 700))),
        np.where(rng.random((2, 400)) < 0.01, rng.integers(-(1 << 30), 1 << 30, (2, 400)), 0),
        rng.integers(-(1 << 31), 1 << 31, (2, 33)),
        np.zeros((64, 2)),
        np.array([[-5]]),
        rng.integers(0, 100, (20, 50)),
        np.repeat(rng.integers(0, 2, (1, 90)), 7, axis=1) * 1000,
    ]


def test_records_come_out_as_they_went_in(node: str, tmp_path: Path) -> None:
    made = sealer()
    envelopes = [made.begin_hour(), made.seal(Class.VITAL, bundle.pack_vital(VITALS))]
    said = [row for row in read(node, written(tmp_path / "out", envelopes), made.gateway) if "fields" in row]
    wanted = [plain(msgspec.to_builtins(record, builtin_types=(Decimal, bytes))) for record in VITALS]
    wanted = [row[:5] if row[0] == 2 and row[5] == "" else row for row in wanted]  # of now: nothing is said of when
    wanted = [row[:7] if row[0] == 8 and row[7] is None else row for row in wanted]  # of now
    assert [[row["t"], *row["fields"]] for row in said] == [row[1:] for row in wanted]
    assert {row["kind"] for row in said} == {
        *("catalogue", "anchor", "numeric", "alarm", "status", "device-time", "stream-gap", "envelope-gap"),
        *("association", "session", "patient-id", "line", "room", "boot", "audit-head"),
    }


def test_samples_come_out_as_they_went_in(node: str, tmp_path: Path) -> None:
    made = sealer()
    waves = [chunk.astype(np.int32) for chunk in chunks()]
    blocks = [
        Block(T + at, 3, len(wave), 1000 * at, wave.shape[1], codec.encode(wave)) for at, wave in enumerate(waves)
    ]
    blocks[0] = msgspec.structs.replace(blocks[0], marks=[MarkAt(1, 20, "beat"), MarkAt(0, 30, "lead-off", 40)])
    envelopes = [made.begin_hour(), *(made.seal(Class.WAVE, bundle.pack_wave([block])) for block in blocks)]
    said = [row for row in read(node, written(tmp_path / "out", envelopes), made.gateway) if row["kind"] == "block"]
    assert [row["samples"] for row in said] == [wave.tolist() for wave in waves]
    assert [(row["t"], row["stream"], row["first"]) for row in said] == [(b.t, b.stream, b.first) for b in blocks]
    assert said[0]["marks"] == [[1, 20, "beat", 1], [0, 30, "lead-off", 40]]
    assert said[1]["marks"] == []


def test_vectors_of_the_codec(node: str, tmp_path: Path) -> None:
    made = sealer()
    blocks = [Block(T, 0, len(v["samples"]), 0, len(v["samples"][0]), bytes.fromhex(v["hex"])) for v in VECTORS]
    envelopes = [made.begin_hour(), made.seal(Class.WAVE, bundle.pack_wave(blocks))]
    said = read(node, written(tmp_path / "out", envelopes), made.gateway)
    assert [row["samples"] for row in said if row["kind"] == "block"] == [v["samples"] for v in VECTORS]


def test_an_exported_spool_with_two_hours_and_its_manifests(node: str, tmp_path: Path) -> None:
    made = sealer()
    envelopes = [made.ended([(7, 1, 20)]), made.begin_hour()]
    for hour in range(2):
        envelopes += [made.seal(Class.VITAL, bundle.pack_vital([NumericAt(T + hour, 0, n)])) for n in range(3)]
        manifest = made.manifest()
        assert manifest is not None
        envelopes.append(manifest)
        envelopes += [made.begin_hour()] if hour == 0 else []
    said = read(node, spooled(tmp_path, made, envelopes), made.gateway)
    assert [row["tails"] for row in said if row["kind"] == "ended"] == [[[7, 1, 20]]]
    grants = [row for row in said if row["kind"] == "grant"]
    assert [(row["hour"], row["ours"], row["nonce"]) for row in grants] == [
        (n, True, b"8 random".hex()) for n in (0, 1)
    ]
    assert [(row["hour"], row["seq"], row["fields"][1]) for row in said if row["kind"] == "numeric"] == [
        (hour, 3 * hour + n, n) for hour in range(2) for n in range(3)
    ]
    manifests = [row for row in said if row["kind"] == "manifest"]
    assert [row["follows"] for row in manifests] == [True, True]
    assert [[(one["first"], one["count"], one["proven"]) for one in row["sealed"]] for row in manifests] == [
        [(0, 3, True)],
        [(3, 3, True)],
    ]


def test_the_vectors_of_envelopes(node: str, tmp_path: Path) -> None:
    """docs/examples/check.mjs; and a vector that is not what it was is found."""
    vectors = ROOT / "tests" / "vectors" / "envelope.json"
    script = READER.with_name("check.mjs")
    done = subprocess.run([node, script, vectors], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert len([line for line in said if line.startswith("ok ")]) == 15
    assert [line.split(":")[0] for line in said if not line.startswith("ok ")] == ["skipped xwing"]
    for name in ("grant", "manifest", "ended", "vital_envelope", "wave_envelope", "command"):
        held = json.loads(vectors.read_text(encoding="utf-8"))
        held[name] = held[name][:-2] + f"{int(held[name][-2:], 16) ^ 1:02x}"
        (tmp_path / "wrong").write_text(json.dumps(held))
        done = subprocess.run([node, script, tmp_path / "wrong"], capture_output=True, text=True, check=False)
        assert done.returncode == 1, name


def test_an_xwing_key_is_refused_in_words(node: str, tmp_path: Path) -> None:
    file = written(tmp_path / "out", [sealer().begin_hour()])
    assert "ML-KEM" in refusal(node, file, GATEWAY, OTHERS[0])


def test_the_tail_of_an_epoch_is_proven_by_the_next(node: str, tmp_path: Path) -> None:
    first, second = sealer(1), sealer(2)
    envelopes = [
        first.begin_hour(),
        *(first.seal(Class.VITAL, bundle.pack_vital([NumericAt(T, 0, n)])) for n in (1, 2)),
    ]
    leaves = b"".join(hashlib.sha256(data).digest() for _, data in envelopes[1:])
    tail = Recovered(1, bytes(32), [Sealed(1, 0, 2, hashlib.sha256(leaves).digest())])
    envelopes.append(second.ended([(1, 0, 1), (1, 1, 2)], [tail]))
    (said,) = [row for row in read(node, written(tmp_path / "out", envelopes), GATEWAY) if row["kind"] == "ended"]
    (one,) = said["recovered"]
    assert (one["epoch"], one["follows"], one["sealed"][0]["proven"]) == (1, None, True)


@pytest.mark.parametrize("at", [1, 3, 11, 12, -1], ids=["class", "hour", "seq", "body", "tag"])
def test_an_altered_envelope_does_not_open(node: str, tmp_path: Path, at: int) -> None:
    made = sealer()
    grant, (header, data) = made.begin_hour(), made.seal(Class.VITAL, bundle.pack_vital(VITALS))
    altered = bytearray(data)
    altered[at] ^= 1
    why = refusal(node, written(tmp_path / "out", [grant, (header, bytes(altered))]), made.gateway)
    assert why.startswith("error: ")


def test_what_is_another_gateways_or_for_others_does_not_open(node: str, tmp_path: Path) -> None:
    made = sealer()
    file = written(tmp_path / "out", [made.begin_hour(), made.seal(Class.VITAL, bundle.pack_vital(VITALS))])
    assert "the backlog of" in refusal(node, file, "a" * 20)
    theirs = written(tmp_path / "theirs", [made.begin_hour()], "a" * 20)
    assert "signed by" in refusal(node, theirs, "a" * 20)
    assert "no grant" in refusal(node, file, made.gateway, RecipientSecret("x25519", bytes(range(2, 34))))


@pytest.mark.parametrize("at", [4, 60, -1], ids=["kind", "content", "end"])
def test_an_altered_file_is_refused(node: str, tmp_path: Path, at: int) -> None:
    file = written(tmp_path / "out", [sealer().begin_hour()])
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)
    assert refusal(node, file, GATEWAY).startswith("error: ")
    file.write_bytes(data[:-20])
    assert refusal(node, file, GATEWAY).startswith("error: ")


def test_an_altered_grant_does_not_hold(node: str, tmp_path: Path) -> None:
    made = sealer()
    header, data = made.begin_hour()
    altered = data[:60] + bytes([data[60] ^ 1]) + data[61:]
    assert "signature" in refusal(node, written(tmp_path / "out", [(header, altered)]), made.gateway)
