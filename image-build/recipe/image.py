"""From the locked packages to what is published, in the order in which it must happen."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from recipe import builder, disk, finish, initramfs, lists, module, packages, release, rootfs, sbom, signing, slot
from recipe.debian import BuildError, said
from recipe.packages import Archive, Package, digest

SIZES_MIB = {"fw": 64, "boot_a": 128, "boot_b": 128, "root_a": 1024}
HOME = "https://downloads.example.org/wardlink/"
STICK = "file:///media/wardlink/"  # a stick with this label, as desktops mount it; edit the manifest for another place
AUTOBOOT = "[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n"
STATE = "A=good\nB=bad\nTRIAL=\nTRIED=0\n"


@dataclass(frozen=True, slots=True)
class Bench:
    """Where the build stands. `top`: the repository; `cache`: what is kept between builds; `out`: what is made."""

    top: Path
    cache: Path
    board: str
    debs: list[Path]
    overlays: list[Path]
    tell: Callable[[str], None]

    @property
    def here(self) -> Path:
        return self.top / "image-build"

    @property
    def out(self) -> Path:
        return self.cache / "out" / self.board

    @property
    def work(self) -> Path:
        return self.cache / "work" / self.board

    @property
    def version(self) -> str:
        text = (self.top / "pyproject.toml").read_text(encoding="utf-8")
        return str(tomllib.loads(text)["project"]["version"])

    def builder(self) -> Path:
        return builder.make(self.cache / "builder")

    def archive(self) -> Archive:
        return Archive(self.builder(), self.cache / "apt")

    def locked(self) -> list[Package]:
        return packages.parsed((self.here / "packages.lock").read_text(encoding="utf-8"))


def lock(bench: Bench) -> None:
    """Take what the mirror has today."""
    archive = bench.archive()
    archive.refresh()
    rows = archive.resolve(lists.words("packages.txt"))
    (bench.here / "packages.lock").write_text(packages.written(rows), encoding="utf-8")
    bench.tell(f"{len(rows)} packages, {sum(row.size for row in rows) >> 20} MiB")


def drift(bench: Bench) -> bool:
    """Say what the mirror has other than the lock; whether there is any."""
    archive = bench.archive()
    archive.refresh()
    lines = packages.drift(bench.locked(), archive.resolve(lists.words("packages.txt")))
    for line in lines:
        bench.tell(line)
    return bool(lines)


def system(bench: Bench) -> Path:
    """Debian's part of the root, from the lock."""
    rows = bench.locked()
    debs = bench.archive().fetch(rows)
    return rootfs.make(bench.builder(), debs, rows, bench.cache / "rootfs")


def make(bench: Bench) -> release.Image:
    """Everything after Debian's part: the same bytes from the same commit, lock and packages of ours."""
    tar, made = system(bench), bench.builder()
    root = bench.work / "root"
    bench.tell("root")
    finish.finish(made, tar, [bench.here / "overlay", *_made_overlays(bench), *bench.overlays], bench.debs, root)
    (root / "usr/lib/wardlink-image").write_text(f"{bench.version}\n", encoding="utf-8")
    bench.tell("bill of materials")
    bill = sbom.merged(sbom.debian(made, root), sbom.wheels(root), "wardlink-image", bench.version)
    bench.tell("slot")
    root_hash = slot.root_image(made, root, bench.work / "root.img")
    first = initramfs.made(root, bench.here / "initramfs/init")
    slot.boot_image(made, bench.work, first, root_hash, bench.here / "boot/config.txt", bench.work / "boot.img")
    slot.fw_image(made, bench.work, _first_files(bench), bench.work / "fw.img")
    bench.tell("disk")
    image = _packed(bench)
    (bench.out / f"{image.disk.stem}.cdx.json").write_text(release.written(bill), encoding="utf-8")
    _publish(bench, image)
    return image


def _made_overlays(bench: Bench) -> list[Path]:
    """What is laid over the root and is made here: whose updates are believed, and our kernel module."""
    sources = bench.here / "tryboot"
    built = module.overlay(bench.builder(), bench.archive(), bench.locked(), sources, bench.cache)
    return [signing.overlay(signing.keys(bench.cache / "keys" / "updates")), built]


def _first_files(bench: Bench) -> dict[str, bytes]:
    files = {"autoboot.txt": slot.sector(AUTOBOOT), "wl-state": slot.sector(STATE)}
    setting = bench.top / "config/wardlink.txt"
    return files | ({setting.name: setting.read_bytes()} if setting.is_file() else {})


def _packed(bench: Bench) -> release.Image:
    shutil.rmtree(bench.out, ignore_errors=True)
    bench.out.mkdir(parents=True)
    path = bench.out / f"wardlink-{bench.version}-{bench.board}.img"
    content = {"fw": "fw.img", "boot_a": "boot.img", "boot_b": "", "root_a": "root.img"}
    places = {name: bench.work / file if file else None for name, file in content.items()}
    parts = [disk.Part(name, size, places[name], name not in ("root_a",)) for name, size in SIZES_MIB.items()]
    disk.write(path, parts)
    bmap = path.with_name(path.name + ".bmap")
    bmap.write_text(disk.bmap(path), encoding="utf-8")
    packed = path.with_name(path.name + ".zst")
    subprocess.run(["zstd", "-q", "-f", "-10", "-T2", path, "-o", packed], check=True)
    for name in ("root.img", "boot.img"):
        (bench.work / name).rename(bench.out / name)
    if bench.board == "virt":  # what a machine without the Pi's firmware is started with
        for name in ("vmlinuz", "initrd.img", "cmdline.txt"):
            shutil.copyfile(bench.work / "boot" / name, bench.out / name)
    return release.Image(bench.version, bench.board, path, packed, bmap)


def _publish(bench: Bench, image: release.Image) -> None:
    manifest = image.disk.with_suffix(".rpi-imager-manifest")
    manifest.write_text(release.written(release.imager_list(image, STICK)), encoding="utf-8")
    (bench.out / release.IMAGER_LIST).write_text(release.written(release.imager_list(image, HOME)), encoding="utf-8")
    outputs = [image.packed, image.bmap, bench.out / "root.img", bench.out / "boot.img"]
    inputs = {"packages.lock": digest(bench.here / "packages.lock"), **{p.name: digest(p) for p in bench.debs}}
    statement = release.provenance(outputs, inputs, _commit(bench.top), ["--board", bench.board])
    (bench.out / "provenance.json").write_text(release.written(statement), encoding="utf-8")
    table = bench.out / "SHA256SUMS"
    table.write_text(
        release.sums(p for p in bench.out.iterdir() if p.suffix != ".img" or p.stem in ("root", "boot")),
        encoding="utf-8",
    )
    key = release.new_key(bench.cache / "keys")
    release.sign(table, key)
    shutil.copyfile(key.with_name("image.pub"), bench.out / "image.pub")


def _commit(top: Path) -> str:
    try:
        return said(["git", "-C", top, "rev-parse", "HEAD"]).strip()
    except BuildError:
        return "unknown"
