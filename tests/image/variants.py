"""Other versions of an image that was built: its root with some files otherwise, as a signed bundle."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).parents[2]
sys.path.insert(0, str(TOP / "image-build"))

from recipe import bundle, initramfs, signing, slot  # noqa: E402

BROKEN = {
    "usr/lib/systemd/system/wardlink.service.d/99-broken.conf": b"[Service]\nExecStart=\nExecStart=/bin/false\n",
}


@dataclass(frozen=True, slots=True)
class Built:
    """A build's folders, as image-build leaves them (`cache`), for one board."""

    cache: Path
    board: str = "virt"

    @property
    def image(self) -> Path:
        (found,) = (self.cache / "out" / self.board).glob("wardlink-*.img")
        return found

    @property
    def work(self) -> Path:
        return self.cache / "work" / self.board

    @property
    def keys(self) -> Path:
        return self.cache / "keys" / "updates"

    @property
    def rogue(self) -> Path:
        """Keys of somebody else, who is as careful."""
        return self.cache / "keys" / "rogue"

    def bundle(self, version: str, files: Mapping[str, bytes], name: str) -> Path:
        """A bundle of this image with `files` in its root; made once."""
        out = self.cache / "try" / f"{name}.raucb"
        if not out.exists():
            slots = self.slots(files, name)
            bundle.make(self.cache / "builder", slots, version, signing.keys(self.keys), out)
        return out

    def signed_by_another(self, version: str, name: str) -> Path:
        out = self.cache / "try" / "rogue.raucb"
        if not out.exists():
            bundle.make(self.cache / "builder", self.cache / "try" / name, version, signing.keys(self.rogue), out)
        return out

    def slots(self, files: Mapping[str, bytes], name: str) -> Path:
        out = self.cache / "try" / name
        if (out / "boot.img").exists():
            return out
        out.mkdir(parents=True, exist_ok=True)
        builder, root, init = self.cache / "builder", self.work / "root", TOP / "image-build/initramfs/init"
        with _changed(root, files):
            root_hash = slot.root_image(builder, root, self.work / "root.img")
            first = initramfs.made(root, init)
            config = TOP / "image-build/boot/config.txt"
            slot.boot_image(builder, self.work, first, root_hash, config, self.work / "boot.img")
        for file in ("root.img", "boot.img"):
            shutil.move(self.work / file, out / file)
        return out


@contextmanager
def _changed(root: Path, files: Mapping[str, bytes]) -> Iterator[None]:
    """The root with these files, for as long as it is looked at."""
    before = {name: (root / name).read_bytes() if (root / name).exists() else None for name in files}
    try:
        for name, data in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
        yield
    finally:
        for name, old in before.items():
            if old is None:
                (root / name).unlink()
            else:
                (root / name).write_bytes(old)
