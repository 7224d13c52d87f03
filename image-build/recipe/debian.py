"""Debian as this machine gets it: the mirrors are asked from apt at run time, so that no file here names one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

SUITE = "trixie"
BACKPORTS = f"{SUITE}-backports"
KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg"
COMPONENTS = "main non-free-firmware"
TARGETS = ("apt-get", "indextargets", "--format", "$(ORIGIN)|$(LABEL)|$(COMPONENT)|$(REPO_URI)", "Created-By: Packages")


class BuildError(Exception):
    """The build cannot go on; says what is wrong, and what to do about it in `hint`."""

    def __init__(self, said: str, hint: str = "") -> None:
        super().__init__(said)
        self.hint = hint


def mirrors() -> tuple[str, str]:
    """Where this machine takes Debian and its security fixes from. Raises BuildError where it is no Debian."""
    found: dict[str, str] = {}
    for row in said(TARGETS).splitlines():
        origin, label, component, uri = row.split("|", 3)
        if origin == "Debian" and component == "main":
            found.setdefault(label, uri)
    if "Debian" not in found or "Debian-Security" not in found:
        raise BuildError("apt knows no Debian mirror", "the image is made on a Debian machine, of Debian's packages")
    return found["Debian"], found["Debian-Security"]


def sources() -> list[str]:
    """The lines of a sources.list for the image's release, its fixes and its backports."""
    main, security = mirrors()
    return [
        f"deb [signed-by={KEYS}] {main} {SUITE} {COMPONENTS}",
        f"deb [signed-by={KEYS}] {main} {SUITE}-updates {COMPONENTS}",
        f"deb [signed-by={KEYS}] {security} {SUITE}-security {COMPONENTS}",
        f"deb [signed-by={KEYS}] {main} {BACKPORTS} {COMPONENTS}",
    ]


def said(words: Iterable[object], **options: object) -> str:
    """What a command says. Raises BuildError with its complaint."""
    line = [str(word) for word in words]
    done = subprocess.run(line, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        raise BuildError(f"{line[0]} ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return str(done.stdout)
