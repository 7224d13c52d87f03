"""`wardlink bundle` writes a diagnostic bundle to the stick that is mounted, or to DIR; `bundle open FILE --keys DIR`
opens one.

It holds the log, the configuration without secrets, states and statistics, and the audit log; no patient data. It is
sealed to the recipients of this gateway, so only they can open it: at the centre, with its `recipient.key`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from agent.cli.run import DEFAULT_CONFIG
from agent.cli.talk import CommandError

STICKS = ("/media/", "/run/media/", "/mnt")
OURS = "/run/media/wardlink/"  # mounted by wardlink-stick@.service, for reading alone


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("bundle", help="write or open a diagnostic bundle", description=__doc__)
    parser.add_argument("where", nargs="?", metavar="DIR|open", help="where to write; or the word open, and then")
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="the bundle to open")
    parser.add_argument("--config", default=DEFAULT_CONFIG, metavar="FILE", help=f"default {DEFAULT_CONFIG}")
    parser.add_argument("--keys", type=Path, metavar="DIR", help="open: the folder with recipient.key")
    parser.add_argument("--out", type=Path, metavar="DIR", help="open: where its parts go; default: beside FILE")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    if args.where == "open":
        return _open(args)
    return _write(args)


def _write(args: argparse.Namespace) -> int:
    from agent import audit, clock, config, diagnosis, identity
    from agent.health import status
    from agent.waiting import Waiting

    folder = Path(args.where) if args.where else stick(Path("/proc/mounts").read_text("utf-8", "replace"))
    if args.file is not None or not folder.is_dir():
        raise CommandError(f"{folder} is no folder", "wardlink bundle DIR, or: wardlink bundle open FILE --keys DIR")
    loaded = config.load(Path(args.config))
    who = identity.load(Path(loaded.keys), receipts=False)
    utc = clock.passed_utc(clock.anchor())
    try:
        epoch = status.read(Path(loaded.runtime)).epoch
    except (OSError, ValueError):  # nobody runs, or ran since the machine started
        epoch = 0
    log = audit.Audit(Waiting(), Path(loaded.state) / audit.FOLDER, who.signer, 0, clock.now, lambda: utc)
    try:
        log.append("cli", "bundle", recipients=" ".join(one.kid.hex() for one in who.recipients))
    except OSError as error:
        print(f"the audit log could not be written: {error.strerror}", file=sys.stderr)
    data = diagnosis.made(loaded, who.signer, who.recipients, os.urandom(32), epoch, utc)
    file = folder / f"wardlink-{who.gateway}-{epoch}-{clock.unix_us() // 1_000_000}.wldg"
    with _writable(folder), file.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    print(f"{file}: {len(data)} bytes for {len(who.recipients)} recipients")
    return 0


@contextmanager
def _writable(folder: Path) -> Iterator[None]:
    """A stick that the gateway itself has mounted can be written for as long as this lasts. Raises CommandError."""
    if not str(folder).startswith(OURS) or os.access(folder, os.W_OK):
        yield
        return
    import subprocess

    if subprocess.run(["mount", "-o", "remount,rw", folder], check=False).returncode:
        raise CommandError(f"{folder} cannot be written", "only root may, and no stick that is write-protected")
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,ro", folder], check=False)


def stick(mounts: str) -> Path:
    """Where the one stick is, ours or one that can be written, by /proc/mounts (proc(5)). Raises CommandError."""
    lines = [line.split() for line in mounts.splitlines()]
    rows = [(words[1].replace("\\040", " "), words[3].split(",")) for words in lines if len(words) > 3]
    places = [place for place, options in rows if "rw" in options or place.startswith(OURS)]
    found = sorted({place for place in places if place.startswith(STICKS)})
    if len(found) == 1:
        return Path(found[0])
    if not found:
        hint = "is it in, and not write-protected? `wardlink bundle DIR` names another folder"
        raise CommandError("there is no stick that can be written", hint)
    raise CommandError(f"there are {len(found)} sticks: {', '.join(found)}", "wardlink bundle DIR names one of them")


def _open(args: argparse.Namespace) -> int:
    from wire import diagnosis, keys

    if args.file is None or args.keys is None:
        raise CommandError("a FILE and --keys are needed", "wardlink bundle open FILE --keys /etc/wardlink/centre-keys")
    file = args.keys / "recipient.key" if args.keys.is_dir() else args.keys
    try:
        secret = keys.recipient_secret(file.read_text("ascii"))
        gateway, head, parts = diagnosis.open_(args.file.read_bytes(), [secret])
    except keys.KeyFormatError as error:
        raise CommandError(f"{file}: {error}", "it begins with xwing-secret:") from error
    except diagnosis.DiagnosisError as error:
        raise CommandError(f"{args.file}: {error}", "was it copied whole, and is the key a recipient's?") from error
    out = args.out or args.file.with_suffix("")
    out.mkdir(parents=True, exist_ok=True)
    for name, data in parts.items():  # of a closed list: none leads out of the folder
        (out / name).write_bytes(data)
    print(f"gateway {gateway}, epoch {head.epoch}: {len(parts)} files in {out}")
    return 0
