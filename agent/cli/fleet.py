"""`wardlink fleet`: who is believed at this centre's sites: roots, vouchers, directories, gateways (docs/keys.md).

Needs the folder that `wardlink fleet init` made. The root's key is asked for by the verbs that sign with it, and by no
other; it is a file under a passphrase, on a stick.
"""

from __future__ import annotations

import argparse
import getpass
import importlib
import os
import pwd
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.cli import fleet_broker
from agent.cli.run import set_up_log
from agent.cli.talk import CommandError

FOLDER = "/var/lib/wardlink/fleet"
PASSPHRASE_LIMIT_BYTES = 1024
REQUEST_LIMIT_LETTERS = 65536
HOURS = 72
_Verbs = Any  # argparse's own class has no public name


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("fleet", help="the centre's side: who is believed", description=__doc__)
    default = os.environ.get("WARDLINK_FLEET", FOLDER)
    parser.add_argument("--folder", type=Path, default=Path(default), help=f"default $WARDLINK_FLEET or {FOLDER}")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_roots(verbs)
    _add_lists(verbs)
    _add_gateways(verbs)
    _add_certificates(verbs)
    _add_looks(verbs)
    fleet_broker.add(verbs)


def _verb(verbs: _Verbs, name: str, run: Callable[[Any, argparse.Namespace], object], text: str, *words: str) -> Any:
    """A verb whose `words` are plain arguments, and what it does with the desk."""
    verb = verbs.add_parser(name, help=text, description=text)
    for word in words:
        verb.add_argument(word.lower(), metavar=word)
    verb.set_defaults(run=lambda args: _done(args, run))
    return verb


def _group(verbs: _Verbs, name: str, text: str) -> _Verbs:
    return verbs.add_parser(name, help=text).add_subparsers(title="verbs", metavar="VERB", required=True)


def _add_roots(verbs: _Verbs) -> None:
    init = _verb(
        verbs,
        "init",
        lambda d, a: d(a.made).init(a.root, _new_passphrase(a, ""), a.enrol, a.time),
        "make a fleet: a root to be kept elsewhere, an issuing key, a store",
    )
    init.add_argument("made", metavar="FOLDER", type=Path)
    init.add_argument("--enrol", default="", metavar="URL", help="how gateways reach `fleet serve`: https://host:8485")
    init.add_argument("--time", default="", metavar="HOST:PORT", help="where signed time is served")
    root = _group(verbs, "root", "the next root, the end of an old one")
    rotate = _verb(
        root,
        "rotate",
        lambda d, a: d().root_rotate(a.root, _passphrase(a, ""), a.new_root, _new_passphrase(a, "new-")),
        "make the next root; the old one signs it, and both are believed",
    )
    rotate.add_argument("--new-root", type=Path, required=True, metavar="FILE", help="a new file, on a stick")
    _add_passphrase(rotate, "new-")
    drop = _verb(
        root,
        "drop",
        lambda d, a: d().root_drop(a.hash, at_once=a.now),
        "believe an old root no more; refused while gateways have not renewed since",
        "HASH",
    )
    drop.add_argument("--now", action="store_true", help="even so: those need a voucher then")
    issuing = _group(verbs, "issuing", "the issuing key")
    renew = _verb(
        issuing,
        "renew",
        lambda d, a: d().issuing(a.root, _passphrase(a, ""), another=False),
        "the same key, two more years",
    )
    other = _verb(
        issuing,
        "rotate",
        lambda d, a: d().issuing(a.root, _passphrase(a, ""), another=True),
        "another key; what the old one signed is good until it expires",
    )
    for verb in (init, rotate, renew, other):
        verb.add_argument("--root", type=Path, required=True, metavar="FILE", help="the root's key, on a stick")
        _add_passphrase(verb, "")


def _add_passphrase(verb: argparse.ArgumentParser, mark: str) -> None:
    whose = "the new root's" if mark else "the root's"
    verb.add_argument(f"--{mark}passphrase-fd", type=int, metavar="N", help=f"read {whose} from this descriptor")
    verb.add_argument(f"--{mark}passphrase-env", metavar="NAME", help=f"take {whose} from this variable")


def _add_lists(verbs: _Verbs) -> None:
    site = _group(verbs, "site", "a hospital")
    _verb(site, "add", lambda d, a: d().site_add(a.site), "another site", "SITE")
    recipient = _group(verbs, "recipient", "who may open what a site seals")
    added = _verb(
        recipient,
        "add",
        lambda d, a: d().recipient_add(a.site, a.name, a.role, a.key),
        "one more; KEY is the text (xwing:...) or a file",
        "SITE",
        "NAME",
        "KEY",
    )
    added.add_argument("--role", choices=("hospital", "centre"), default="hospital")
    _verb(
        recipient,
        "retire",
        lambda d, a: d().recipient_retire(a.site, a.name),
        "one less, from the next hour a gateway seals",
        "SITE",
        "NAME",
    )
    centre = _group(verbs, "centre-key", "whose receipts, commands and time are believed")
    _verb(centre, "add", lambda d, a: d().centre_key_add(a.key), "KEY is the text (ed25519:...) or a file", "KEY")
    _verb(centre, "retire", lambda d, a: d().centre_key_retire(a.key), "KEY may be how it begins", "KEY")
    change = _verb(verbs, "set", lambda d, a: d().set(a.name, a.value), "what directories say of enrolment and time")
    change.add_argument("name", choices=("enrol", "time"))
    change.add_argument("value", metavar="VALUE", help="https://host:8485, host:8486, or nothing: ''")
    _verb(verbs, "directory", lambda d, a: d().directory(a.site), "the newest of a site, to a file", "SITE")


def _add_gateways(verbs: _Verbs) -> None:
    voucher = _verb(
        verbs,
        "voucher",
        lambda d, a: d().voucher(a.site, a.hours, a.bed, a.qr),
        "let one gateway in, once: shown now and never again",
        "SITE",
    )
    voucher.add_argument("--bed", default="", help="for people; no name of a patient")
    replace = _verb(
        verbs,
        "replace",
        lambda d, a: d().replace(a.old, a.why, a.hours, a.qr),
        "a voucher for the gateway that comes for a broken one",
        "OLD",
    )
    replace.add_argument("--why", default="broken")
    for verb in (voucher, replace):
        verb.add_argument("--hours", type=int, default=HOURS, help=f"1 to {HOURS}")
        verb.add_argument("--qr", nargs="?", const="", metavar="FILE", help="as a QR code: here, or .png, .svg, .txt")
    _verb(verbs, "vouchers", lambda d, a: d().vouchers(), "all there were; no secret is shown")
    _verb(verbs, "withdraw", lambda d, a: d().withdraw(a.voucher), "end a voucher that was not used", "VOUCHER")
    _verb(verbs, "answer", lambda d, a: d().answer(_text(a.request)), "answer a request from a stick", "REQUEST")
    retire = _verb(verbs, "retire", lambda d, a: d().retire(a.gateway, a.why), "a gateway that is not used", "GATEWAY")
    retire.add_argument("--why", required=True)
    _verb(verbs, "wiped", _wiped, "a gateway of which the receipt of `wardlink wipe` has come", "RECEIPT")
    revoke = _verb(verbs, "revoke", lambda d, a: d().revoke(a.name, a.why), "a gateway, broker or centre", "NAME")
    revoke.add_argument("--why", required=True)
    _verb(verbs, "gateways", lambda d, a: d().gateways(), "for the centre.toml of a centre on another machine")


def _add_certificates(verbs: _Verbs) -> None:
    made = _verb(
        verbs,
        "certificate",
        lambda d, a: d().certificate(a.kind, a.name, a.csr.read_bytes() if a.csr else None, a.out),
        "for a broker, a centre or an endpoint of your own",
    )
    made.add_argument("kind", choices=("broker", "centre", "endpoint"))
    made.add_argument(
        "--name", action="append", required=True, help="a name it is dialled by; or `name` of centre.toml"
    )
    source = made.add_mutually_exclusive_group(required=True)
    source.add_argument("--csr", type=Path, metavar="FILE", help="sign this request (PEM); goes to stdout")
    source.add_argument("--out", type=Path, metavar="FOLDER", help="make the key as well, here")
    _verb(verbs, "crl", lambda d, a: d().crl(), "who is revoked, for the broker's `crlfile`")
    _verb(verbs, "roots", lambda d, a: d().roots(), "the roots that are believed, for a `ca.crt`")


def _add_looks(verbs: _Verbs) -> None:
    looked = _verb(verbs, "list", lambda d, a: d().list_json() if a.json else d().list(), "all that is known")
    looked.add_argument("--json", action="store_true", help="gateways and certificates as JSON")
    audit = _group(verbs, "audit", "what was done, and who was refused")
    _verb(audit, "show", lambda d, a: d().audit_show(), "the lines")
    verify = _verb(audit, "verify", lambda d, a: d().audit_verify(a.head), "whether it is whole")
    verify.add_argument("--head", default="", help="a head that was kept elsewhere: what came after it must follow")
    serve = _verb(verbs, "serve", _serve, "the enrolment endpoint, until it is told to end")
    serve.add_argument("--listen", default="0.0.0.0:8485", metavar="HOST:PORT")
    serve.add_argument("--name", action="append", default=[], help="how it is dialled; default: as `enrol` says")
    serve.add_argument("--json", action="store_true", help="log lines as JSON")


def _wiped(desk: Any, args: argparse.Namespace) -> object:
    from agent.enrol import farewell

    try:
        said = farewell.read(_text(args.receipt))
    except farewell.FarewellError as error:
        raise CommandError(str(error), "it is what `wardlink wipe` printed, both lines") from error
    left = sum(said.not_held.values()) + said.relayed_not_held
    return desk().retire(said.gateway, f"wiped, proven by its receipt; {left} envelopes were not held")


def _serve(desk: Any, args: argparse.Namespace) -> int:
    set_up_log(args.json)
    code: int = desk().serve(args.listen, args.name)
    return code


def _done(args: argparse.Namespace, run: Callable[[Any, argparse.Namespace], object]) -> int:
    """Run a verb and print what it says: words, text or bytes, talk on stderr; a number is the exit code."""
    try:
        desk = importlib.import_module("centre.fleet.desk")
        refusals = (importlib.import_module("centre.fleet.store").FleetError, desk.RefusedError)
    except ModuleNotFoundError as error:
        raise CommandError(f"a package is missing: {error.name}", "pip install 'wardlink[centre]'") from error
    who = pwd.getpwuid(os.getuid()).pw_name
    try:
        said = run(lambda folder=args.folder: desk.Desk(folder, who), args)
    except refusals as error:
        raise CommandError(str(error), getattr(error, "hint", "it is written in the audit log")) from error
    if isinstance(said, int):
        return said
    if isinstance(said, bytes):
        sys.stdout.buffer.write(said)
    elif isinstance(said, str):
        print(said, end="" if said.endswith("\n") else "\n")
    elif isinstance(said, desk.Said):
        print(said.data)
        print("\n".join(said.talk), file=sys.stderr)
    else:
        assert isinstance(said, list)
        print("\n".join(said))
    return 0


def _passphrase(args: argparse.Namespace, mark: str) -> str:
    """From a descriptor, a variable, or the person; nothing of it is ever shown."""
    number, variable = (getattr(args, f"{mark}passphrase_{kind}".replace("-", "_")) for kind in ("fd", "env"))
    if number is not None:
        with os.fdopen(number, "rb", closefd=False) as file:
            return file.readline(PASSPHRASE_LIMIT_BYTES).decode().rstrip("\r\n")
    if variable:
        found = os.environ.get(variable)
        if found is None:
            raise CommandError(f"the variable {variable} is not set", f"--{mark}passphrase-env names a variable")
        return found
    return getpass.getpass(f"passphrase of the {'new ' if mark else ''}root: ")


def _new_passphrase(args: argparse.Namespace, mark: str) -> str:
    said = _passphrase(args, mark)
    asked = not any(getattr(args, f"{mark}passphrase_{kind}".replace("-", "_")) is not None for kind in ("fd", "env"))
    if asked and getpass.getpass("once more: ") != said:
        raise CommandError("they are not the same", "nothing was made; try again")
    return said


def _text(path: str) -> str:
    """A file, or `-` for what comes in."""
    if path == "-":
        return sys.stdin.read(REQUEST_LIMIT_LETTERS)
    with Path(path).open(encoding="ascii") as file:
        return file.read(REQUEST_LIMIT_LETTERS)
