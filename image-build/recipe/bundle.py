"""A bundle: two slots' files, signed, of which a gateway fetches the blocks that it has not (RAUC 1.13, "verity")."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from recipe import inside
from recipe.debian import BuildError

COMPATIBLE = "wardlink-arm64"
MANIFEST = """[update]
compatible={compatible}
version={version}
[bundle]
format=verity
[image.rootfs]
filename=root.img
adaptive=block-hash-index
[image.boot]
filename=boot.img
adaptive=block-hash-index
"""
# Blocks of what a gateway asks for, no larger: of 128 KiB, the default, each would come for one that is new. What is
# packed already stays as it is; the zeros and the index of a boot partition, half empty, all but vanish.
SQUASHFS = "-b 4096 -no-fragments"
# Also for making: RAUC judges what it made, and a signer for code is for nothing else.
CONFIG = "[system]\ncompatible={compatible}\nbootloader=noop\n[keyring]\npath=/keys/root.pem\ncheck-purpose=codesign\n"


def make(
    builder: Path,
    slots: Path,
    version: str,
    keys: Path,
    out: Path,
    *,
    signer: str = "signer",
    compatible: str = COMPATIBLE,
) -> Path:
    """`slots`: the folder with root.img and boot.img; `keys`: as recipe.signing has it. Raises BuildError."""
    work = out.parent / f"{out.name}.work"
    shutil.rmtree(work, ignore_errors=True)
    content = work / "content"
    content.mkdir(parents=True)
    for name in ("root.img", "boot.img"):
        source = slots / name
        if not source.is_file():
            raise BuildError(f"{source} is not there", "image-build/build makes it")
        try:
            os.link(source, content / name)
        except OSError:
            shutil.copyfile(source, content / name)
    (content / "manifest.raucm").write_text(MANIFEST.format(compatible=compatible, version=version), encoding="ascii")
    (work / "rauc.conf").write_text(CONFIG.format(compatible=compatible), encoding="ascii")
    signed = ["--cert", f"/keys/{signer}.pem", "--key", f"/keys/{signer}.key"]
    words = [
        "rauc",
        "--conf=/here/rauc.conf",
        *signed,
        "bundle",
        f"--mksquashfs-args={SQUASHFS}",
        "/here/content",
        "/here/made.raucb",
    ]
    inside.run(builder, words, work, {keys: "/keys"})
    (work / "made.raucb").replace(out)
    shutil.rmtree(work)
    return out
