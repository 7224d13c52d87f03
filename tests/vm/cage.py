"""Another program in a unit's cage: what may whoever has taken it over do?"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.vm.bedside import do

PROGRAM = Path("/etc/wardlink-cage.py")
PATIENCE_S = 60.0


def tried(unit: str, words: Sequence[str]) -> list[str]:
    """For each line of Python what came of it in the cage of the unit: `done`, or why not."""
    PROGRAM.write_text(
        "import errno, os\n"
        f"for words in {list(words)!r}:\n"
        "    try:\n"
        "        exec(words)\n"
        "        print('done', flush=True)\n"
        "    except OSError as error:\n"
        "        print(errno.errorcode[error.errno], flush=True)\n"
        "    except AssertionError:\n"
        "        print('failed', flush=True)\n"
    )
    said, added = Path("/run/cage.said"), Path(f"/run/systemd/system/{unit}.d")
    said.unlink(missing_ok=True)
    added.mkdir(parents=True, exist_ok=True)
    (added / "cage.conf").write_text(
        "[Unit]\nConditionPathExists=\nConditionDirectoryNotEmpty=\n[Service]\n"
        "Type=oneshot\nRemainAfterExit=no\nWatchdogSec=0\nRestart=no\nFailureAction=none\n"
        "ExecCondition=\nExecStartPre=\nExecStartPost=\nExecStopPost=\n"
        f"ExecStart=\nExecStart=/usr/bin/python3 {PROGRAM}\n"
        f"StandardOutput=file:{said}\n"
    )
    do("systemctl", "stop", unit, check=False)
    try:
        do("systemctl", "daemon-reload")
        do("systemctl", "start", unit, limit_s=PATIENCE_S)
        return said.read_text().split()
    finally:
        shutil.rmtree(added)
        PROGRAM.unlink()
        do("systemctl", "daemon-reload")
        do("systemctl", "stop", unit, check=False)
