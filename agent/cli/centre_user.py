"""`wardlink centre user add|remove|list`: the people whom the centre lets in. A running centre takes it at once."""

from __future__ import annotations

import argparse
import getpass
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from agent.cli.talk import CommandError
from config.load import ConfigError

ROLES = ("doctor", "nurse", "engineer")


def add(verbs: Any) -> None:
    """Below `wardlink centre`."""
    parser: argparse.ArgumentParser = verbs.add_parser("user", help="who may look", description=__doc__)
    deeds = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    adds = _deed(deeds, "add", add_user, "let somebody in, or give a new password")
    adds.add_argument("name", metavar="NAME")
    adds.add_argument("--role", choices=ROLES, required=True, help="docs/access.md says who sees what")
    adds.add_argument("--site", action="append", default=[], metavar="SITE", help="only its beds; may be repeated")
    adds.add_argument("--token", action="store_true", help="for a program: print a token instead of asking a password")
    removes = _deed(deeds, "remove", remove_user, "let somebody in no more; who is in is out at once")
    removes.add_argument("name", metavar="NAME")
    _deed(deeds, "list", list_users, "names, roles and sites")


def _deed(deeds: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    deed: argparse.ArgumentParser = deeds.add_parser(name, help=text)
    deed.add_argument("--config", default="/etc/wardlink/centre.toml", metavar="FILE")
    deed.set_defaults(run=run)
    return deed


def add_user(args: argparse.Namespace) -> int:
    people, path = _people(), _file(args)
    if not people.is_login(args.name):
        raise ConfigError(f"{args.name!r} is no name", "1 to 64 letters, digits and . - _ @")
    token = ""
    if args.token:
        token = import_module("base64").urlsafe_b64encode(_dice(people.TOKEN_BYTES)).decode().rstrip("=")
        user = people.User(args.name, args.role, tuple(args.site), token=people.token_hash(token))
    else:
        user = people.User(args.name, args.role, tuple(args.site), password=people.hashed(_password()))
    others = tuple(one for one in people.read(path) if one.name != args.name)
    people.write(path, (*others, user))
    print(f"{args.name} may look as {args.role} at {', '.join(args.site) or 'all sites'}", file=sys.stderr)
    if token:
        print(token)
        print("it is shown once: Authorization: Bearer <it>", file=sys.stderr)
    return 0


def remove_user(args: argparse.Namespace) -> int:
    people, path = _people(), _file(args)
    users = people.read(path)
    left = tuple(one for one in users if one.name != args.name)
    if len(left) == len(users):
        raise CommandError(f"nobody is called {args.name}", "wardlink centre user list")
    people.write(path, left)
    return 0


def list_users(args: argparse.Namespace) -> int:
    for one in _people().read(_file(args)):
        by = "token" if one.token else "password"
        print(f"{one.name:24} {one.role:9} {by:9} {', '.join(one.sites) or 'all sites'}")
    return 0


def _password() -> str:
    """Typed twice at a terminal; else one line of stdin, for scripts."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("password: ")
    if getpass.getpass("again:    ") != first:
        raise CommandError("the two are not the same", "type it again")
    return first


def _dice(count: int) -> bytes:
    secret: bytes = import_module("centre.clock").secret(count)
    return secret


def _people() -> ModuleType:
    try:
        return import_module("centre.access.people")
    except ModuleNotFoundError as error:
        why = f"the centre's packages are missing: {error.name}"
        raise CommandError(why, "pip install 'wardlink[centre]'") from error


def _file(args: argparse.Namespace) -> Path:
    path: Path = import_module("centre.config").read(Path(args.config)).users_file
    return path
