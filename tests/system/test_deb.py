"""The Debian packages, as far as they can be judged without installing them (tests/vm installs them)."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

TREE = Path(__file__).parents[2]
DEB = TREE / "image-build" / "deb"
EPOCH = "1795305600"
ARM = ("manylinux_2_28_aarch64", "manylinux_2_17_aarch64")


@pytest.fixture
def builder(monkeypatch) -> Any:
    """Its modules lie beside a script and not in a package."""
    monkeypatch.syspath_prepend(str(DEB))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)
    yield import_module
    for name in ("contents", "wheels", "archive", "errors"):
        sys.modules.pop(name, None)


@pytest.fixture
def wheel(tmp_path) -> Path:
    """One of everything that wheels hold."""
    made = tmp_path / "some-1-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        for name in ("some/__init__.py", "some/x.pyi", "some-1.dist-info/METADATA", "some-1.data/scripts/some"):
            archive.writestr(name, "some = 1\n")
        archive.writestr("some-1.data/purelib/more.py", "")
    return made


def built(builder: Any, wheel: Path, folder: Path, package: str = "wardlink") -> Path:
    contents, archive = builder("contents"), builder("archive")
    root = folder / "root"
    put = contents.gateway(TREE, [wheel]) if package == "wardlink" else contents.centre(TREE)
    contents.lay(put, root)
    control = contents.control(DEB / package, "0.1.0", "arm64", root)
    return archive.pack(root, control, folder / "made.deb", int(EPOCH), level=0)


def said(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("package", ["wardlink", "wardlink-centre"])
def test_two_builds_are_the_same_bytes(builder, wheel, tmp_path, package) -> None:
    one, two = tmp_path / "one", tmp_path / "elsewhere" / "two"
    one.mkdir()
    two.mkdir(parents=True)
    first = built(builder, wheel, one, package)
    before = os.umask(0o077)
    try:
        second = built(builder, wheel, two, package)
    finally:
        os.umask(before)
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (first, second)]
    assert digests[0] == digests[1]


def test_it_is_roots_readable_by_all_and_writable_by_nobody_else(builder, wheel, tmp_path) -> None:
    made = built(builder, wheel, tmp_path)
    rows = [row.split(maxsplit=5) for row in said("dpkg-deb", "-c", str(made)).splitlines()]
    assert {owner for _, owner, *_ in rows} == {"root/root"}
    assert {mode for mode, *_ in rows} == {"drwxr-xr-x", "-rw-r--r--", "-rwxr-xr-x", "lrwxrwxrwx"}
    paths = {row[5].removeprefix(".").split(" -> ")[0] for row in rows}
    assert {"/opt/wardlink/bin/wardlink", "/opt/wardlink/lib/agent/gateway.py", "/opt/wardlink/lib/more.py"} <= paths
    assert {"/usr/lib/systemd/system/wardlink.service", "/usr/lib/sysusers.d/wardlink.conf"} <= paths
    assert not [
        path for path in paths if re.search(r"__pycache__|\.pyi?c?$(?<!\.py)|/centre/|/bin/some$|^/etc/.", path)
    ]


def test_the_centre_is_a_package_beside_it(builder, wheel, tmp_path) -> None:
    made = built(builder, wheel, tmp_path, "wardlink-centre")
    listed = said("dpkg-deb", "-c", str(made))
    assert "/opt/wardlink/lib/centre/run.py" in listed
    assert "/opt/wardlink/lib/agent" not in listed
    assert "wardlink (= 0.1.0)" in said("dpkg-deb", "-f", str(made), "Depends")


def test_a_wheel_may_not_leave_its_folder(builder, tmp_path) -> None:
    made = tmp_path / "evil-1-py3-none-any.whl"
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("../../etc/passwd", "")
    with pytest.raises(builder("errors").DebError, match="passwd"):
        list(builder("wheels").files(made))


def test_what_is_pinned_for_the_gateway_is_what_all_is_pinned_to() -> None:
    """`make requirements` makes both; every pin of the package has its hashes."""
    gateway = (TREE / "requirements" / "gateway.txt").read_text()
    every = (TREE / "requirements" / "all.txt").read_text()
    blocks = re.split(r"\n(?=[a-z])", gateway.strip())
    assert [block.partition("==")[0] for block in blocks] == [
        *("bleak", "cbor2", "cffi", "cryptography", "dbus-fast", "msgspec", "paho-mqtt"),
    ]
    for block in blocks:
        assert block in every
        assert "--hash=sha256:" in block


def test_wheels_are_asked_for_the_boards_processor(builder) -> None:
    assert set(ARM) < set(builder("wheels").PLATFORMS["arm64"])
