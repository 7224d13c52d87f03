"""What goes with an image: digests, signature, provenance, the list for Raspberry Pi Imager."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from recipe.debian import BuildError
from recipe.inside import EPOCH_S
from recipe.packages import digest

IMAGER_LIST = "os_list.json"
# What Imager calls the boards (its hardware list's tags).
DEVICES = ("pi5-64bit", "pi4-64bit", "pi3-64bit")
DESCRIPTION = "The gateway at the hospital bed. Fill in wardlink.txt on the card's first partition, then start it."


@dataclass(frozen=True, slots=True)
class Image:
    """An image as it is published. `disk` is what is written to the card, `packed` what is downloaded."""

    version: str
    board: str
    disk: Path
    packed: Path
    bmap: Path


def imager_list(image: Image, home: str) -> dict[str, object]:
    """A repository for Raspberry Pi Imager 2 (its os-list-schema.json): one entry.

    `home`: the address of the folder that holds the image, with a slash at its end; of a stick it begins with file://.
    init_format is "rpi-preseed", which wardlink reads (agent/setup/preseed.py), and not "systemd" or "cloudinit":
    nothing in the image would run what those write.
    """
    entry: dict[str, object] = {
        "name": f"wardlink {image.version}",
        "description": DESCRIPTION,
        "icon": "",
        "url": f"{home}{image.packed.name}",
        "bmap_url": f"{home}{image.bmap.name}",
        "extract_size": image.disk.stat().st_size,
        "extract_sha256": digest(image.disk),
        "image_download_size": image.packed.stat().st_size,
        "image_download_sha256": digest(image.packed),
        "release_date": datetime.fromtimestamp(EPOCH_S, UTC).date().isoformat(),
        "init_format": "rpi-preseed",
        "devices": list(DEVICES),
        "capabilities": [],
    }
    return {"os_list": [entry]}


def sums(files: Iterable[Path]) -> str:
    """A SHA256SUMS for `sha256sum --check`."""
    return "".join(f"{digest(path)}  {path.name}\n" for path in sorted(files))


def provenance(outputs: Iterable[Path], inputs: dict[str, str], commit: str, asked: list[str]) -> dict[str, object]:
    """An in-toto statement, SLSA provenance 1.0: what was made, from which commit and inputs (name -> SHA-256)."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": path.name, "digest": {"sha256": digest(path)}} for path in sorted(outputs)],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": "https://wardlink.example.org/image-build/v1",
                "externalParameters": {"command": ["image-build/build", *asked]},
                "resolvedDependencies": [
                    {"uri": "git+wardlink", "digest": {"gitCommit": commit}},
                    *({"name": name, "digest": {"sha256": value}} for name, value in sorted(inputs.items())),
                ],
            },
            "runDetails": {"builder": {"id": "https://wardlink.example.org/image-build/local"}},
        },
    }


def new_key(folder: Path) -> Path:
    """An Ed25519 key for signing images: image.key (keep it) and image.pub (publish it)."""
    key = folder / "image.key"
    folder.mkdir(parents=True, exist_ok=True)
    if not key.exists():
        _openssl("genpkey", "-algorithm", "ed25519", "-out", str(key))
        key.chmod(0o600)
        _openssl("pkey", "-in", str(key), "-pubout", "-out", str(folder / "image.pub"))
    return key


def sign(path: Path, key: Path) -> Path:
    """The signature beside the file: 64 bytes, `openssl pkeyutl -verify -rawin` reads it."""
    signature = path.with_name(path.name + ".sig")
    _openssl("pkeyutl", "-sign", "-rawin", "-inkey", str(key), "-in", str(path), "-out", str(signature))
    return signature


def verify(path: Path, public: Path) -> None:
    """Raises BuildError where the signature beside the file is not of that key, or the file is another."""
    signature = path.with_name(path.name + ".sig")
    words = ("-verify", "-rawin", "-pubin", "-inkey", str(public), "-in", str(path), "-sigfile", str(signature))
    _openssl("pkeyutl", *words)


def written(data: object) -> str:
    return json.dumps(data, indent=1, sort_keys=True) + "\n"


def _openssl(*words: str) -> None:
    done = subprocess.run(["openssl", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"openssl {words[0]}: {(done.stdout + done.stderr).strip()}")
