"""What makes one gateway another than the next: told by the gateway itself, and by its card."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from tests.image.disk import fat, partitions

if TYPE_CHECKING:
    from tests.image.stage import Bedside

ASKED = {
    "machine_id": "cat /etc/machine-id",
    "ssh_host_key": "ssh-keygen -lf /data/system/ssh/ssh_host_ed25519_key | cut -d' ' -f2",
    "gateway_key": "sha256sum /etc/wardlink/keys/gateway.key* | cut -c1-64",
    "gateway_pub": "cat /etc/wardlink/keys/gateway.pub",
}
_UUID_AT, _UUID_BYTES = 168, 40  # LUKS2 On-Disk Format 1.1.1, binary header


def of(bedside: Bedside) -> dict[str, str]:
    """All of it; the gateway runs, is enrolled and has an engineer's key."""
    told = {name: bedside.asked(command) for name, command in ASKED.items()}
    return told | on_card(bedside.machine.card)


def on_card(card: Path) -> dict[str, str]:
    """What the card says of itself without being opened."""
    key = fat(card, 1).read("data.key") or b""
    return {"luks_uuid": luks_uuid(card), "data_key": hashlib.sha256(key).hexdigest()}


def luks_uuid(card: Path) -> str:
    (data,) = (one for one in partitions(card).values() if one.name == "data")
    with card.open("rb") as file:
        file.seek(data.at + _UUID_AT)
        return file.read(_UUID_BYTES).rstrip(b"\0").decode("ascii")
