"""The bill of materials: Debian's packages by debsbom, and what wardlink brings from PyPI (CycloneDX 1.6)."""

from __future__ import annotations

import email.parser
import json
from datetime import UTC, datetime
from pathlib import Path

from recipe import inside
from recipe.inside import EPOCH_S

Json = dict[str, object]


def debian(builder: Path, root: Path) -> Json:
    """What dpkg's status in the root says, with the graph of dependencies."""
    stamp = datetime.fromtimestamp(EPOCH_S, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    words = ["debsbom", "generate", "-r", f"/here/{root.name}", "-t", "cdx", "--distro-arch", "arm64"]
    words += ["--timestamp", stamp, "-o", "/here/debian"]
    inside.run(builder, [*words, "--cdx-serialnumber", "urn:uuid:77617264-6c69-4e6b-8073-626f6d000001"], root.parent)
    read: Json = json.loads((root.parent / "debian.cdx.json").read_text(encoding="utf-8"))
    return read


def wheels(root: Path) -> list[Json]:
    """What lies in /opt/wardlink with a METADATA of its own (core metadata 2.x), one component each."""
    found = {}
    for path in sorted((root / "opt/wardlink").rglob("*.dist-info/METADATA")):
        said = email.parser.Parser().parsestr(path.read_text(encoding="utf-8"))
        name, version = str(said["Name"]).lower().replace("_", "-"), str(said["Version"])
        purl = f"pkg:pypi/{name}@{version}"
        component: Json = {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}
        found[purl] = component
    return list(found.values())


def merged(bill: Json, more: list[Json], name: str, version: str) -> Json:
    """One bill of both, about the image."""
    parts = bill.get("components")
    metadata = bill.get("metadata")
    about: Json = {"type": "firmware", "name": name, "version": version, "bom-ref": f"{name}@{version}"}
    return {
        **bill,
        "metadata": {**(metadata if isinstance(metadata, dict) else {}), "component": about},
        "components": [*(parts if isinstance(parts, list) else []), *more],
    }
