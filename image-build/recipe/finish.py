"""From Debian's part to the root of a slot: our files over it, the slow steps natively, what nobody needs left out."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from recipe import inside, lists
from recipe.debian import BuildError


def finish(builder: Path, tar: Path, overlays: list[Path], debs: Iterable[Path], root: Path) -> None:
    """`root`, made anew: Debian's part, our packages, our files. Raises BuildError."""
    work = root.parent
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    words = ["tar", "-C", f"/here/{root.name}", "--numeric-owner", "-xf", f"/tars/{tar.name}"]
    inside.run(builder, words, work, {tar.parent: "/tars"})
    for overlay in overlays:
        _lay(builder, overlay, root)
    _install(builder, debs, root)
    # What wardlink's package offers to a machine that is a gateway and nothing else; and ours again over its own.
    shutil.copytree(root / "usr/share/wardlink/machine", root / "usr/lib", dirs_exist_ok=True)
    for overlay in overlays:
        _lay(builder, overlay, root)
    _leave_out(root)
    _native(builder, root)
    _places(root)
    _sane(root)


def _lay(builder: Path, overlay: Path, root: Path) -> None:
    words = ["cp", "-a", "--no-preserve=ownership,timestamps", "/over/.", f"/here/{root.name}/"]
    inside.run(builder, words, root.parent, {overlay: "/over"})


INSTALL = """set -e
systemd-sysusers --root="$1" "$1/usr/lib/sysusers.d/00-wardlink-image.conf"
mount -t proc proc "$1/proc"
mount --bind "$1/usr/bin/true" "$1/usr/bin/py3compile"
exec chroot "$1" dpkg --install /own.deb
"""


def _install(builder: Path, debs: Iterable[Path], root: Path) -> None:
    """Our own packages, by their own scripts, under emulation; what they need must be there already."""
    for deb in debs:
        shutil.copyfile(deb, root / "own.deb")
        inside.run(builder, ["sh", "-c", INSTALL, "sh", f"/here/{root.name}"], root.parent)
        (root / "own.deb").unlink()


def _leave_out(root: Path) -> None:
    shutil.copytree(root / "usr/lib/raspi-firmware", root.parent / "raspi-firmware", dirs_exist_ok=True)
    (modules,) = (root / "usr/lib/modules").iterdir()
    shutil.copytree(modules / "dtb/broadcom", root.parent / "dtb", dirs_exist_ok=True)
    shutil.copyfile(modules / "vmlinuz", root.parent / "vmlinuz")
    for place, listed in ((root, "left-out.txt"), (modules / "kernel", "left-out-drivers.txt")):
        for pattern in lists.words(listed):
            for path in sorted(place.glob(pattern)):
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()


def _native(builder: Path, root: Path) -> None:
    """What Debian's packages would have done, by programs of this machine's own kind."""
    script = f"""set -e; cd /here/{root.name}
    kernel=$(ls usr/lib/modules)
    depmod -b /here/{root.name}/usr -m /lib/modules "$kernel" 2>/dev/null || depmod -b /here/{root.name} "$kernel"
    find usr/lib/python3 usr/lib/python3.13 opt -name __pycache__ -prune -exec rm -rf {{}} + 2>/dev/null || true
    python3.13 -m compileall -q -j1 -s /here/{root.name} --invalidation-mode unchecked-hash \\
        usr/lib/python3 usr/lib/python3.13 $(ls -d opt/wardlink 2>/dev/null) || true
    mkdir -p etc/ssl/certs
    find usr/share/ca-certificates -name '*.crt' | sort | xargs cat > etc/ssl/certs/ca-certificates.crt
    for file in $(find usr/share/ca-certificates -name '*.crt'); do
        ln -sf "/$file" "etc/ssl/certs/$(basename "$file" .crt).pem"; done
    systemctl --root=/here/{root.name} preset-all 2>/dev/null
    systemctl --root=/here/{root.name} mask --quiet {" ".join(lists.words("masked.txt"))}
    systemctl --root=/here/{root.name} set-default --quiet multi-user.target
    """
    inside.run(builder, ["sh", "-c", script], root.parent)


def _places(root: Path) -> None:
    for place in ("data", "boot/firmware", "etc/ssl", "run", "tmp", "proc", "sys", "dev"):
        (root / place).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)
    (root / "etc/machine-id").write_text("", encoding="utf-8")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").symlink_to("/run/NetworkManager/resolv.conf")


def _sane(root: Path) -> None:
    """What must never leave this machine. Raises BuildError."""
    for line in (root / "etc/shadow").read_text(encoding="utf-8").splitlines():
        name, secret = line.split(":")[:2]
        if not secret.startswith(("*", "!")):
            raise BuildError(f"the account {name} has a password")
    keys = [*root.glob("etc/ssh/*_key"), *root.glob("etc/wardlink/keys/*"), *root.glob("root/.ssh/*")]
    if keys:
        raise BuildError(f"a secret lies in the root: {keys[0].name}")
