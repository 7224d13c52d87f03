"""`python -m tests.vm.lasted`, in the guest: make of its kept disks a gateway that starts at boot, whose spool lies on
a disk of its own and whose devices are at serial lines."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.vm.bedside import ADDED, STATE, UNIT, Bedside, do

STORIES = ("nonin_pleth/format-2", "masimo_ascii1/rad8-2018", "berry_bci/made-by-rule", "nellcor_n560/bedside")
TABLES = "".join(
    f'[[port]]\npath = "/dev/ttyS{number}"\ndriver = "{story.partition("/")[0]}"\n'
    for number, story in enumerate(STORIES, start=1)
)
LASTING = f"""[Unit]
RequiresMountsFor=/wardlink {STATE}
[Service]
ExecStart=
ExecStart=/usr/bin/python3 -P -m tests.vm.lasting /etc/wardlink/gateway.toml
ExecStartPost=/bin/echo up
StandardOutput=file:/dev/ttyS0
Environment=PYTHONPATH=/opt/wardlink/lib:/wardlink PYTHONDONTWRITEBYTECODE=1
"""


def main() -> None:
    tree = next(word for word in Path("/proc/cmdline").read_text().split() if word.startswith("guest.tree="))
    with Path("/etc/fstab").open("a", encoding="utf-8") as table:
        table.write(f"none /wardlink hostfs ro,hostfs={tree.partition('=')[2]} 0 0\n")
        table.write(f"/dev/ubdb {STATE} ext4 noatime,commit=60 0 2\n")
    STATE.mkdir(exist_ok=True)
    do("mount", str(STATE))
    with tempfile.TemporaryDirectory() as folder:
        gateway = Bedside(Path(folder), tables=TABLES)
        gateway.start()
        gateway.stop()
    ADDED.with_name("lasting.conf").write_text(LASTING, encoding="utf-8")
    do("systemctl", "enable", UNIT.name)
    do("systemctl", "disable", "errand.service")
    do("umount", str(STATE))


if __name__ == "__main__":
    main()
