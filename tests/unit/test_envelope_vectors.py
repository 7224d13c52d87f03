"""What travels cannot drift: from fixed keys and entropy come these bytes, and these bytes mean these things.

HPKE draws its own random numbers, so a grant cannot be made again: the ones in the file are opened, not compared.
After a change of the format: `python -m tests.unit.test_envelope_vectors`, then read the difference.
"""

import hashlib
import json
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from wire import bundle, command, keys, receipt, statement
from wire.envelope import EnvelopeError, Header
from wire.presence import Presence
from wire.records import (
    AlarmAt,
    Anchor,
    Association,
    Block,
    Catalogue,
    DeviceTimeAt,
    EnvelopeGap,
    Line,
    MarkAt,
    NumericAt,
    PatientIdAt,
    SessionAt,
    StatusAt,
    StreamGap,
    StreamInfo,
)
from wire.seal import Opener, Sealer
from wire.topics import Class

FILE = Path(__file__).parents[1] / "vectors" / "envelope.json"
SIGNER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
CENTRE = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
SECRETS = (keys.RecipientSecret("x25519", bytes(range(64, 96))), keys.RecipientSecret("xwing", bytes(range(96, 192))))
GATEWAY = keys.gateway_id(SIGNER.public_key())
DATA_KEY = bytes(range(192, 224))
EPOCH, NONCE = 7, bytes(range(8))
TAILS = [(5, 1, 900), (6, 2, 21)]
RECOVERED = [statement.Recovered(6, bytes(range(32)), [statement.Sealed(2, 12, 9, bytes(range(32, 64)))])]
STREAMS = [
    StreamInfo(0, "spo2", 150456, "%"),
    StreamInfo(1, "ecg.ii", 131330, "mV", (500, 1), (1, 200), (8192, 1), 14, "diagnostic", 65535),
]
RECORDS = [
    Catalogue(1_000_000, 0, "contec_v7", "none", "usb-1", "Contec", "CMS60C", "user", "4.6", STREAMS),
    Anchor(1_000_001, 1_800_000_000_000_000, 12_000, "ntp"),
    Anchor(1_000_002, 1_800_000_000_000_001, None, "unsynchronised"),
    NumericAt(1_000_003, 0, 97),
    NumericAt(1_000_004, 0, Decimal("36.60")),
    NumericAt(1_000_005, 0, None, "sensor-off"),
    AlarmAt(1_000_006, 0, "SPO2", "LOW ↓", "high", "on", "spo2"),
    StatusAt(1_000_007, 0, "searching", "on"),
    DeviceTimeAt(1_000_008, 0, "2026-01-02T03:04:05", None),
    DeviceTimeAt(1_000_009, 0, "", 4_000_000_000, (8000, 1)),
    StreamGap(1_000_010, 1, 500, 12, "device-lost"),
    StreamGap(1_000_011, 1, 512, None, "parse"),
    EnvelopeGap(1_000_012, 6, 2, 10, 20, "evicted"),
    Association(1_000_013, "none", "unvalidated", "", "", "bed 3"),
    SessionAt(1_000_014, 0, "closed", "unplugged"),
    PatientIdAt(1_000_015, 0, "12-34", ""),
    Line(1_000_016, 0, 60, 1, 9),
    Association(1_000_017, "scan", "wrong", "n-12", "p-abcdefghijklmnop", "bed 3", (6, 5), (7, 1_000_000), "wrong"),
    Association(1_000_018, "adt", "validated", "n-12", "p-ponmlkjihgfedcba", "bed 3", (7, 1_000_000)),
]
BLOCKS = [
    Block(2_000_000, 1, 2, 500, 3, bytes.fromhex("10010002000300040005000600"), [MarkAt(1, 2, "beat")]),
    Block(2_000_100, 3, 1, 0, 1, bytes.fromhex("10fbff")),
]


def sealer_of_the_file() -> Sealer:
    return Sealer(SIGNER, [secret.recipient for secret in SECRETS], EPOCH, NONCE, lambda _: bytearray(DATA_KEY))


def made() -> dict[str, object]:
    """Everything but the grants, from the constants above."""
    sealer = Sealer(
        SIGNER, [secret.recipient for secret in SECRETS], EPOCH, NONCE, lambda count: bytearray(DATA_KEY[:count])
    )
    ended = sealer.ended(TAILS, RECOVERED)[1]
    sealer.begin_hour()
    vital, wave = bundle.pack_vital(RECORDS), bundle.pack_wave(BLOCKS)
    envelopes = [sealer.seal(Class.VITAL, vital)[1], sealer.seal(Class.WAVE, wave)[1]]
    manifest = sealer.manifest()
    assert manifest is not None
    held = [receipt.Held(EPOCH, NONCE, 1, [(0, 3), (5, 5)]), receipt.Held(6, bytes(8), 2, [])]
    said = receipt.made(1_800_000_000_000_002, b"a nonce.", held)
    wanted = command.Resend([command.Wanted(EPOCH, 1, [(4, 4), (6, 9)])])
    asked = command.Command(1_800_000_000_000_003, 1_800_000_600_000_003, EPOCH, NONCE, b"a nonce.", wanted)
    return {
        "signer": keys.signer_text(SIGNER),
        "verifier": keys.verifier_text(SIGNER.public_key()),
        "gateway": GATEWAY,
        "recipients": [
            {"secret": s.text(), "public": s.recipient.text(), "kid": s.recipient.kid.hex()} for s in SECRETS
        ],
        "data_key": DATA_KEY.hex(),
        "header": Header(EPOCH, Class.WAVE, 0x01020304, 0x0506).pack().hex(),
        "header_nonce": Header(EPOCH, Class.WAVE, 0x01020304, 0x0506).nonce().hex(),
        "records": [_without_defaults(json.loads(msgspec.json.encode(record))) for record in RECORDS],
        "vital_bundle": vital.hex(),
        "vital_envelope": envelopes[0].hex(),
        "blocks": json.loads(msgspec.json.encode(BLOCKS)),
        "wave_bundle": wave.hex(),
        "wave_envelope": envelopes[1].hex(),
        "ended": ended.hex(),
        "manifest": manifest[1].hex(),
        "centre_verifier": keys.verifier_text(CENTRE.public_key()),
        "receipt_means": json.loads(msgspec.json.encode(said)),
        "receipt": receipt.sign(CENTRE, GATEWAY, said).hex(),
        "command_means": json.loads(msgspec.json.encode(asked)),
        "command": command.sign(CENTRE, GATEWAY, asked).hex(),
        "presence": Presence("online", EPOCH, start=NONCE.hex()).pack().decode(),
    }


def _without_defaults(row: list[object]) -> list[object]:
    """A reading of now says nothing of when it was taken, nor does who nobody is."""
    if row[0] == 8 and row[7] is None:
        return row[:7]
    return row[:5] if row[0] == 2 and row[5:] == ["", None, [1, 1]] else row


def grant() -> str:
    sealer = Sealer(
        SIGNER, [secret.recipient for secret in SECRETS], EPOCH, NONCE, lambda count: bytearray(DATA_KEY[:count])
    )
    sealer.ended([])
    return sealer.begin_hour()[1].hex()


VECTORS = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
hexed = {name: bytes.fromhex(text) for name, text in VECTORS.items() if name.endswith(("bundle", "envelope"))}


@pytest.mark.parametrize("name", made())
def test_the_same_bytes_come_out(name: str) -> None:
    assert made()[name] == VECTORS[name]


@pytest.mark.parametrize("secret", SECRETS, ids=["x25519", "xwing"])
def test_the_grant_of_the_file_opens_its_envelopes(secret: keys.RecipientSecret) -> None:
    opener = Opener(VECTORS["gateway"], [secret])
    header, said = opener.statement(bytes.fromhex(VECTORS["grant"]))
    assert header == Header(EPOCH, Class.KEY, 1, 0)
    assert isinstance(said, statement.Grant)
    assert said.nonce == NONCE
    assert opener.open(hexed["vital_envelope"]) == (Header(EPOCH, Class.VITAL, 0, 0), hexed["vital_bundle"])
    assert opener.open(hexed["wave_envelope"]) == (Header(EPOCH, Class.WAVE, 0, 0), hexed["wave_bundle"])


def test_the_bundles_of_the_file_mean_these_records() -> None:
    assert bundle.read_vital(hexed["vital_bundle"]) == RECORDS
    assert bundle.read_wave(hexed["wave_bundle"]) == BLOCKS


def test_the_statements_of_the_file_say_this() -> None:
    opener = Opener(VECTORS["gateway"], [])
    assert opener.statement(bytes.fromhex(VECTORS["ended"]))[1] == statement.Ended(TAILS, RECOVERED, NONCE)
    said = opener.statement(bytes.fromhex(VECTORS["manifest"]))[1]
    assert isinstance(said, statement.Manifest)
    assert said.nonce == NONCE
    for sealed, name in zip(said.sealed, ("vital_envelope", "wave_envelope"), strict=True):
        leaf = hashlib.sha256(hexed[name]).digest()
        assert (sealed.first, sealed.count, sealed.digest) == (0, 1, hashlib.sha256(leaf).digest())


def test_the_receipt_of_the_file_is_our_centres() -> None:
    verifier = keys.verifier(VECTORS["centre_verifier"])
    said = receipt.read(verifier, VECTORS["gateway"], bytes.fromhex(VECTORS["receipt"]))
    assert json.loads(msgspec.json.encode(said)) == VECTORS["receipt_means"]


def test_the_command_of_the_file_is_our_centres() -> None:
    verifier = keys.verifier(VECTORS["centre_verifier"])
    said = command.read(verifier, VECTORS["gateway"], bytes.fromhex(VECTORS["command"]))
    assert json.loads(msgspec.json.encode(said)) == VECTORS["command_means"]


def test_the_next_version_of_an_envelope_is_refused() -> None:
    for name in ("vital_envelope", "wave_envelope", "manifest", "ended", "grant"):
        with pytest.raises(EnvelopeError, match="version 2"):
            Opener(GATEWAY, SECRETS).statement(b"\x02" + bytes.fromhex(VECTORS[name])[1:])


if __name__ == "__main__":
    FILE.write_text(json.dumps(made() | {"grant": grant()}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
