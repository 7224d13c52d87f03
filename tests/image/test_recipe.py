"""The image's recipe: the parts that are pure, on small files."""

from __future__ import annotations

import hashlib
import json
import re
import struct
import subprocess
import sys
import uuid
import zlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "image-build"))

from recipe import blockdiff, cpio, deb, disk, lists, packages, release, slot  # noqa: E402
from recipe.debian import BuildError  # noqa: E402

HERE = ROOT / "image-build"


def test_cpio_is_what_cpio_reads(tmp_path: Path) -> None:
    made = cpio.packed({"bin/init": (b"#!x\n", 0o755), "a": (b"12345", 0o644)}, ("proc", "sys"))
    said = subprocess.run(["cpio", "-tv", "--quiet"], input=made, capture_output=True, check=True).stdout.decode()
    rows = [(line.split()[0], line.split()[-1]) for line in said.splitlines()]
    assert rows == [
        *(("drwxr-xr-x", folder) for folder in ("bin", "proc", "sys")),
        *(("-rw-r--r--", "a"), ("-rwxr-xr-x", "bin/init")),
    ]
    subprocess.run(["cpio", "-id", "--quiet"], input=made, cwd=tmp_path, check=True)
    assert (tmp_path / "bin/init").read_bytes() == b"#!x\n"
    assert (tmp_path / "a").read_bytes() == b"12345"


def a_disk(tmp_path: Path) -> Path:
    content = tmp_path / "content"
    content.write_bytes(b"x" * 5000 + bytes(20_000) + b"y" * 10)
    parts = [
        disk.Part("fw", 2, content, True),
        disk.Part("boot_a", 1, None, True),
        disk.Part("boot_b", 1, None, True),
        disk.Part("root_a", 3, content),
    ]
    disk.write(tmp_path / "disk.img", parts)
    return tmp_path / "disk.img"


def test_disk_is_what_sfdisk_reads(tmp_path: Path) -> None:
    image = a_disk(tmp_path)
    said = subprocess.run(["/usr/sbin/sfdisk", "--json", image], capture_output=True, check=True)
    assert b"corrupt" not in said.stderr
    table = json.loads(said.stdout)["partitiontable"]
    assert table["label"] == "gpt"
    assert [(row["name"], row["start"], row["size"]) for row in table["partitions"]] == [
        ("fw", 2048, 4096), ("boot_a", 6144, 2048), ("boot_b", 8192, 2048), ("root_a", 10240, 6144)
    ]  # fmt: skip
    assert image.read_bytes()[10240 * 512 :][: 5000 + 20_000 + 10] == (tmp_path / "content").read_bytes()


def test_both_tables_agree_and_carry_their_sums(tmp_path: Path) -> None:
    data = a_disk(tmp_path).read_bytes()
    here, other = (struct.unpack("<8sIIIIQQQQ16sQIII", data[at : at + 92]) for at in (512, len(data) - 512))
    assert here[9] == other[9]
    assert here[5:7] == other[5:7][::-1]
    for head, at in ((here, 512), (other, len(data) - 512)):
        assert zlib.crc32(data[at : at + 16] + bytes(4) + data[at + 20 : at + 92]) == head[3]
        entries = data[head[10] * 512 :][: 128 * 128]
        assert zlib.crc32(entries) == head[13]


def test_the_old_table_has_the_boot_partitions(tmp_path: Path) -> None:
    data = a_disk(tmp_path).read_bytes()
    rows = [struct.unpack("<B3sB3sII", data[446 + 16 * n : 462 + 16 * n]) for n in range(4)]
    assert [(row[2], row[4], row[5]) for row in rows] == [
        (0x0C, 2048, 4096), (0x0C, 6144, 2048), (0x0C, 8192, 2048), (0xEE, 1, 2047)
    ]  # fmt: skip
    assert data[510:512] == b"\x55\xaa"


def test_a_part_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(disk.MIB + 1))
    with pytest.raises(ValueError, match="does not fit"):
        disk.write(tmp_path / "disk.img", [disk.Part("fw", 1, tmp_path / "big")])


def test_bmap_names_the_blocks_that_hold_anything(tmp_path: Path) -> None:
    image = a_disk(tmp_path)
    text = disk.bmap(image)
    zero = bytes(disk.BLOCK)
    data = image.read_bytes()
    kept = bytearray(len(data))
    for first, last in re.findall(r">(\d+)-(\d+)</Range>", text):
        span = slice(int(first) * disk.BLOCK, (int(last) + 1) * disk.BLOCK)
        kept[span] = data[span]
        assert zero not in [data[at : at + disk.BLOCK] for at in range(span.start, span.stop, disk.BLOCK)]
    assert bytes(kept) == data
    own = re.search(r"<BmapFileChecksum>([0-9a-f]{64})<", text)
    assert own is not None
    assert hashlib.sha256(text.replace(own[1], "0" * 64).encode()).hexdigest() == own[1]


def test_the_first_boot_finds_the_partitions_again() -> None:
    for path in (HERE / "overlay/usr/lib/repart.d").iterdir():
        said = dict(line.split("=", 1) for line in path.read_text(encoding="utf-8").splitlines() if "=" in line)
        assert uuid.UUID(said["Type"]) == disk.Part(said["Label"], 0, None).kind


def test_the_lock_reads_what_it_writes() -> None:
    text = (HERE / "packages.lock").read_text(encoding="utf-8")
    rows = packages.parsed(text)
    assert packages.written(rows) == text
    assert len({row.name for row in rows}) == len(rows) > 200
    with pytest.raises(BuildError):
        packages.parsed("bash=1 arm64 abc 5\n")


def test_every_name_we_ask_for_is_locked() -> None:
    locked = {row.name for row in packages.parsed((HERE / "packages.lock").read_text(encoding="utf-8"))}
    assert not {name.partition("/")[0] for name in lists.words("packages.txt")} - locked


def test_drift_is_told_in_words() -> None:
    one, two = packages.Package("a", "1", "all", "0" * 64, 1), packages.Package("b", "1", "all", "0" * 64, 1)
    newer, other = packages.Package("a", "2", "all", "1" * 64, 1), packages.Package("a", "1", "all", "1" * 64, 1)
    assert packages.drift([one], [one]) == []
    assert packages.drift([one, two], [newer]) == ["- b=1", "! a=1 is now 2"]
    assert packages.drift([one], [other, two]) == ["+ b=1", "! a=1 has the same version and other bytes"]


def test_a_deb_stays_the_same_package(tmp_path: Path) -> None:
    (tmp_path / "p/DEBIAN").mkdir(parents=True)
    (tmp_path / "p/DEBIAN/control").write_text(
        "Package: p\nVersion: 1\nArchitecture: all\nMaintainer: n <n@example.org>\nDescription: d\n", encoding="utf-8"
    )
    (tmp_path / "p/file").write_bytes(b"odd" * 3)
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "-Zxz", "-b", "p", "p.deb"], cwd=tmp_path, check=True, capture_output=True
    )
    plain = tmp_path / "plain.deb"
    plain.write_bytes(deb.unpacked((tmp_path / "p.deb").read_bytes()))
    said = [
        subprocess.run(["dpkg-deb", "--fsys-tarfile", path], capture_output=True, check=True).stdout
        for path in (tmp_path / "p.deb", plain)
    ]
    assert said[0] == said[1]
    assert b"data.tar  " in plain.read_bytes()
    with pytest.raises(BuildError):
        deb.unpacked(b"no")


def test_moved_blocks_are_counted_once_and_shifted_ones_not(tmp_path: Path) -> None:
    a, b, c = (bytes([n]) * blockdiff.BLOCK for n in (1, 2, 3))
    (tmp_path / "old").write_bytes(a + b)
    (tmp_path / "new").write_bytes(b + a + c + c)
    found = blockdiff.difference(tmp_path / "old", tmp_path / "new")
    assert (found.size, found.moved, found.shifted) == (4 * 4096, 4096, 2 * 4096)


def test_a_signature_holds_for_its_file_and_its_key(tmp_path: Path) -> None:
    key = release.new_key(tmp_path / "keys")
    other = release.new_key(tmp_path / "others")
    file = tmp_path / "SHA256SUMS"
    file.write_bytes(b"sums")
    release.sign(file, key)
    release.verify(file, key.with_name("image.pub"))
    with pytest.raises(BuildError):
        release.verify(file, other.with_name("image.pub"))
    file.write_bytes(b"suns")
    with pytest.raises(BuildError):
        release.verify(file, key.with_name("image.pub"))


# rpi-imager, doc/json-schema/os-list-schema.json (commits 05f1c4db and 71754dd1): beside `imager` and `os_list` the top
# has no key; an entry that is an image must have these, of these types, and may have others; .zst is read since 1.7.
IMAGER_TEXTS = ("name", "description", "icon", "url", "extract_sha256", "release_date")
IMAGER_NUMBERS = ("extract_size", "image_download_size")


def test_imager_gets_what_its_schema_asks_for(tmp_path: Path) -> None:
    for name in ("i.img", "i.img.zst", "i.img.bmap"):
        (tmp_path / name).write_bytes(name.encode())
    made = release.Image("1", "rpi", tmp_path / "i.img", tmp_path / "i.img.zst", tmp_path / "i.img.bmap")
    listed = json.loads(release.written(release.imager_list(made, "https://example.org/")))
    assert set(listed) == {"os_list"}
    (entry,) = listed["os_list"]
    assert all(type(entry[key]) is str for key in IMAGER_TEXTS)
    assert all(type(entry[key]) is int for key in IMAGER_NUMBERS)
    assert type(entry["init_format"]) is str
    assert all(type(one) is str for one in entry["devices"])
    assert not {"subitems", "subitems_url"} & set(entry), "those make it a folder"
    assert entry["extract_size"] == 5
    assert entry["extract_sha256"] == hashlib.sha256(b"i.img").hexdigest(), "else Imager writes no first MB"
    assert entry["url"] == "https://example.org/i.img.zst"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", entry["release_date"])


def test_a_sector_is_a_sector() -> None:
    assert len(slot.sector("a\n")) == 512
    with pytest.raises(ValueError, match="do not fit"):
        slot.sector("a" * 513)


@pytest.mark.parametrize("path", ["initramfs/init", "overlay/usr/lib/wardlink/data", "overlay/usr/lib/wardlink/doors"])
def test_shell_is_shell(path: str) -> None:
    subprocess.run(["sh", "-n", HERE / path], check=True)


def test_the_firewall_opens_what_the_configuration_names(tmp_path: Path) -> None:
    (tmp_path / "gateway.toml").write_text(
        '#listen = "10.0.0.1:1"\nlisten = "10.1.0.5:2575"\npath = "tcp-from://10.0.0.5:6600"\npath = "tcp://10.0.0.5:4601"\n',
        encoding="utf-8",
    )
    (tmp_path / "nft").write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/said\n', encoding="utf-8")
    (tmp_path / "nft").chmod(0o755)
    words = ["sh", HERE / "overlay/usr/lib/wardlink/doors", tmp_path / "gateway.toml"]
    subprocess.run(words, check=True, env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    rows = (tmp_path / "said").read_text(encoding="utf-8").splitlines()
    assert rows == [f"add element inet wardlink ports {{ {port} }}" for port in (2575, 6600)]


def test_nothing_is_masked_that_fstab_mounts() -> None:
    text = (HERE / "overlay/etc/fstab").read_text(encoding="utf-8")
    places = [line.split()[1] for line in text.splitlines() if line and not line.startswith("#")]
    assert not {f"{place.strip('/').replace('/', '-')}.mount" for place in places} & set(lists.words("masked.txt"))


def test_no_address_lies_in_the_recipe() -> None:
    for path in HERE.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            text = path.read_text(encoding="utf-8", errors="replace")
            assert not re.search(r"(deb|ftp|security)\.debian\.org|pypi\.org|/wor[k]/", text), path


def test_a_roots_length_is_told_by_itself(tmp_path: Path) -> None:
    head = bytearray(4096)
    head[1024:1028] = struct.pack("<I", 0xE0F5E1E2)
    head[1036] = 12
    head[1060:1064] = struct.pack("<I", 3)
    (tmp_path / "root").write_bytes(head + bytes(8192))
    assert slot.told_length(tmp_path / "root") == 3 * 4096
    (tmp_path / "root").write_bytes(bytes(4096))
    with pytest.raises(BuildError):
        slot.told_length(tmp_path / "root")
