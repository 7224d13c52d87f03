"""The disk of a person's command beside the daemon."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from agent.applying import Owned


class Waiting(Owned):
    """It waits for a lock that others hold for a moment, and what root makes belongs to whom the folder belongs to."""

    def lock(self, path: Path) -> int:
        fd = self.open(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
        except OSError:
            os.close(fd)
            raise
        return fd
