"""`wardlink site-key`: the key that makes pseudonyms of patients' numbers, the same at all gateways of one hospital.

It stays in the hospital: whoever has it and a list of numbers knows who the pseudonyms are. `new` makes one, on a stick
that lies in the hospital's safe; `install` puts it on a gateway; `show` prints a fingerprint, to compare aloud. Without
one a gateway makes pseudonyms by a key of its own, and nobody can link them with another gateway's.
"""

from __future__ import annotations

import argparse
import os
import secrets
from pathlib import Path

from agent.cli.run import DEFAULT_CONFIG
from agent.cli.talk import CommandError

NEXT = "systemctl restart wardlink"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("site-key", help="the hospital's key for pseudonyms", description=__doc__)
    verbs = parser.add_subparsers(metavar="VERB", required=True)
    new = verbs.add_parser("new", help="make one: once for a hospital")
    new.add_argument("file", type=Path, metavar="FILE", help="where to; it must not exist")
    new.set_defaults(run=_new)
    install = verbs.add_parser("install", help="put it on this gateway")
    install.add_argument("file", type=Path, metavar="FILE", help="the key, on a stick")
    install.add_argument("--replace", action="store_true", help="another one is here: pseudonyms change")
    show = verbs.add_parser("show", help="the fingerprint of this gateway's, or of a file's")
    show.add_argument("file", type=Path, nargs="?", metavar="FILE")
    for verb, work in ((install, _install), (show, _show)):
        verb.add_argument("--config", default=DEFAULT_CONFIG, metavar="FILE", help=f"default {DEFAULT_CONFIG}")
        verb.set_defaults(run=work)


def _new(args: argparse.Namespace) -> int:
    from agent.binding import pseudonym

    key = secrets.token_bytes(pseudonym.KEY_BYTES)
    try:
        fd = os.open(args.file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise CommandError(f"{args.file} exists", "a hospital has one key; it is never overwritten") from error
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(pseudonym.text(key) + "\n")
        file.flush()
        os.fsync(file.fileno())
    print(pseudonym.fingerprint(key))
    return 0


def _install(args: argparse.Namespace) -> int:
    from agent import applying, config, durable
    from agent.binding import pseudonym
    from agent.enrol import places

    key = _read(args.file)
    here = Path(config.load(Path(args.config)).keys) / places.SITE_KEY_FILE
    if here.exists() and here.read_bytes().strip() != pseudonym.text(key).encode() and not args.replace:
        raise CommandError("this gateway has another site key", "--replace: then its pseudonyms change from now on")
    durable.place(applying.Owned(), here, (pseudonym.text(key) + "\n").encode())
    print(pseudonym.fingerprint(key))
    print(f"then: {NEXT}")
    return 0


def _show(args: argparse.Namespace) -> int:
    from agent import config
    from agent.binding import pseudonym
    from agent.enrol import places

    file = args.file or Path(config.load(Path(args.config)).keys) / places.SITE_KEY_FILE
    if not file.exists():
        raise CommandError("there is no site key here", "pseudonyms are this gateway's own: wardlink site-key install")
    print(pseudonym.fingerprint(_read(file)))
    return 0


def _read(file: Path) -> bytes:
    from agent.binding import pseudonym

    try:
        return pseudonym.parsed(file.read_text("utf-8"))
    except (pseudonym.SiteKeyError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} is no site key", "wardlink site-key new makes one") from error
