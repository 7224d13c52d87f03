"""Other versions of an image that was built, as signed bundles: a release with one change, a bad one, older ones."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).parents[2]
sys.path.insert(0, str(TOP / "image-build"))

from recipe import bundle, initramfs, signing, slot  # noqa: E402
from recipe.packages import Archive  # noqa: E402

from tests.image.disk import Fat  # noqa: E402

BROKEN = " systemd.mask=wardlink.service\n"  # on the kernel's command line: all is well but the gateway
HERE, NEXT = "0.1.0", "0.1.1"  # what runs on the card, and the release after it
CHANGED = "agent/update/__init__.py"
WORDS = '"""Updates: another version of these words."""\n'
EPOCH = "1790000000"  # of the next release's package


@dataclass(frozen=True, slots=True)
class Built:
    """The folders of a build, as image-build leaves them, for one board; what is made of it lies in `cache`/try."""

    cache: Path
    board: str = "virt"

    @property
    def out(self) -> Path:
        return self.cache / "out" / self.board

    @property
    def image(self) -> Path:
        (found,) = self.out.glob("wardlink-*.img")
        return found

    @property
    def digest(self) -> str:
        """Which build it is."""
        return hashlib.sha256((self.out / "SHA256SUMS").read_bytes()).hexdigest()

    @property
    def tries(self) -> Path:
        return self.cache / "try"

    @property
    def keys(self) -> Path:
        return self.cache / "keys" / "updates"

    @property
    def rogue(self) -> Path:
        """Keys of somebody else, who is as careful."""
        return self.cache / "keys" / "rogue"

    def fresh(self) -> None:
        """Forget what was made of another build."""
        of = self.tries / "of"
        if not of.exists() or of.read_text(encoding="ascii") != self.digest:
            shutil.rmtree(self.tries, ignore_errors=True)
            self.tries.mkdir(parents=True)
            of.write_text(self.digest, encoding="ascii")

    def same(self, version: str = NEXT) -> Path:
        """What runs already, under another version."""
        return self._bundle(f"same-{version}", version, self.keys, lambda: self.out)

    def signed_by_another(self) -> Path:
        return self._bundle("rogue", NEXT, self.rogue, lambda: self.out)

    def next(self) -> Path:
        """A release with one Python file changed, and its version: built as any release is."""
        return self._bundle("next", NEXT, self.keys, self._release)

    def broken(self) -> Path:
        """A release whose gateway does not start."""
        return self._bundle("broken", "0.1.2", self.keys, self._deaf)

    def with_package(self, package: str) -> tuple[Path, int]:
        """One Debian package (`name=version`) otherwise; the bundle, and how large the package is."""
        name = package.partition("=")[0]
        debs = Archive(self.cache / "builder", self.cache / "apt")
        file = self.cache / "apt" / "debs" / f"{package.replace('=', '_')}_arm64.deb"
        if not file.exists():
            debs.also(package)
        made = self._bundle(name, NEXT, self.keys, lambda: self._slots(name, _files(file)))
        return made, file.stat().st_size

    def _bundle(self, name: str, version: str, keys: Path, slots: Callable[[], Path]) -> Path:
        out = self.tries / f"{name}.raucb"
        if not out.exists():
            bundle.make(self.cache / "builder", slots(), version, signing.keys(keys), out)
        return out

    def _release(self) -> Path:
        """image-build's own way from a tree of sources to slots, in folders of its own."""
        tree, cache = self.tries / "tree", self.tries / "cache"
        if not (cache / "out" / self.board / "SHA256SUMS").exists():
            _copied(tree)
            cache.mkdir(exist_ok=True)
            for kept in (one for one in self.cache.iterdir() if one.name not in ("out", "work", "try", "log")):
                (cache / kept.name).unlink(missing_ok=True)
                (cache / kept.name).symlink_to(kept.resolve())
            around = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "WARDLINK_IMAGE_CACHE": str(cache)}
            _run([sys.executable, tree / "image-build/deb/build", "--arch", "arm64"], around)
            deb = tree / "build/deb" / f"wardlink_{NEXT}_arm64.deb"
            _run([sys.executable, tree / "image-build/build", "--board", self.board, "--deb", deb], around)
            for large in (cache / "out" / self.board).glob("wardlink-*.img*"):
                large.unlink()
        return cache / "out" / self.board

    def _deaf(self) -> Path:
        """This image with another command line."""
        folder = self.tries / "broken"
        folder.mkdir(exist_ok=True)
        shutil.copyfile(self.out / "root.img", folder / "root.img")
        boot = Fat(shutil.copyfile(self.out / "boot.img", folder / "boot.img"))
        line = (boot.read("cmdline.txt") or b"").decode("ascii")
        boot.write("cmdline.txt", (line.rstrip("\n") + BROKEN).encode("ascii"))
        return folder

    def _slots(self, name: str, files: Mapping[str, bytes]) -> Path:
        """This image with `files` in its root."""
        out, work = self.tries / name, self.cache / "work" / self.board
        if (out / "boot.img").exists():
            return out
        out.mkdir(parents=True, exist_ok=True)
        builder, root = self.cache / "builder", work / "root"
        with _changed(root, files):
            root_hash = slot.root_image(builder, root, work / "root.img")
        first = initramfs.made(root, TOP / "image-build/initramfs/init")
        config = TOP / "image-build/boot/config.txt"
        slot.boot_image(builder, work, first, root_hash, config, work / "boot.img")
        for file in ("root.img", "boot.img"):
            shutil.move(work / file, out / file)
        return out


def _copied(tree: Path) -> None:
    """The sources, with a file changed and the version raised."""
    shutil.rmtree(tree, ignore_errors=True)
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, check=True, capture_output=True).stdout
    for name in listed.decode().rstrip("\0").split("\0"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TOP / name, tree / name, follow_symlinks=False)
    for name in ("pyproject.toml", "agent/__init__.py"):
        text = (tree / name).read_text(encoding="utf-8")
        assert text.count(f'"{HERE}"') == 1, name
        (tree / name).write_text(text.replace(f'"{HERE}"', f'"{NEXT}"'), encoding="utf-8")
    (tree / CHANGED).write_text(WORDS, encoding="utf-8")


def _files(deb: Path) -> dict[str, bytes]:
    """The plain files of a package."""
    packed = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        members = [one for one in tar.getmembers() if one.isfile() and "/share/doc/" not in one.name]
        return {one.name.removeprefix("./"): (tar.extractfile(one) or io.BytesIO()).read() for one in members}


def _run(words: list[str | Path], around: dict[str, str]) -> None:
    done = subprocess.run(words, env=around, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]


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
