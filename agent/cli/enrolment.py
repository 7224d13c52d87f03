"""The verbs of `wardlink enrol`."""

from __future__ import annotations

import argparse
import datetime
import json
import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from agent import applying, clock, config, durable, identity
from agent.audit import FOLDER, Audit
from agent.cli.talk import CommandError
from agent.enrol import endpoint, protection
from agent.enrol.endpoint import EndpointError
from agent.enrol.papers import RefusedError, ders
from agent.enrol.places import ROOTS_FILE
from agent.enrol.protection import Protection, ProtectionError
from agent.enrol.standing import Enrolled
from agent.enrolling import Keys, board
from agent.tunnel import TunnelError, through
from agent.waiting import Waiting
from config.load import ConfigError
from config.proxy import proxy_of
from wire import request, voucher
from wire.voucher import Voucher, VoucherError

VOUCHER_FILE = "voucher.txt"
BOOT = (Path("/boot/firmware/wardlink"), Path("/boot/wardlink"))
STICKS = ("/media/*", "/media/*/*", "/run/media/*/*", "/mnt", "/mnt/*")
FILE_LIMIT_BYTES = request.TEXT_LIMIT_LETTERS
Facts = dict[str, object]


def run(args: argparse.Namespace) -> int:
    """Exits 1 where it was refused; --json says so on stdout too, with `final`: trying again does not help."""
    found = config.load(Path(args.config))
    keys = Keys(Path(found.keys), found.site, os.environ.get(protection.TPM_VARIABLE, ""))
    verb = _verb(args)
    try:
        facts = verb(keys, args)
        if verb in _WRITTEN_DOWN:
            _note(keys, found.state, "enrolment", **{name: str(fact) for name, fact in facts.items()})
    except (EndpointError, RefusedError, ProtectionError, VoucherError) as error:
        if verb in _WRITTEN_DOWN:
            _note(keys, found.state, "refused", why=str(error))
        hint = getattr(error, "hint", "type it again, or copy voucher.txt")
        final = bool(getattr(error, "final", isinstance(error, RefusedError)))
        if args.json:
            print(json.dumps({"error": str(error), "hint": hint, "final": final}))
        raise CommandError(str(error), hint) from error
    if args.json:
        print(json.dumps(facts))
    else:
        print("\n".join(f"{name:12} {fact}" for name, fact in facts.items()))
    return 0


def _note(keys: Keys, state: str, what: str, **detail: str) -> None:
    """What a person did stands in the audit log, if there is a key to sign that with."""
    passed = clock.passed_utc(clock.anchor())
    try:
        signer = identity.signer(keys.folder)
        Audit(Waiting(), Path(state) / FOLDER, signer, 0, clock.now, lambda: passed).append("cli", what, **detail)
    except (OSError, ConfigError) as error:
        print(f"the audit log could not be written: {error}", file=sys.stderr)


def _verb(args: argparse.Namespace) -> Callable[[Keys, argparse.Namespace], Facts]:
    known = {
        "request": (_request, 2),
        "answer": (_answer, 2),
        "label": (_label, 1),
        "renew": (_renew, 1),
        "directory": (_directory, 2),
        "seal": (_seal, 1),
    }
    verb, count = known.get(args.words[0], (_enrol, 1)) if args.words else (_enrol, 0)
    if len(args.words) != count:
        raise CommandError(f"`wardlink enrol {' '.join(known)}`: one of them, and its file", "wardlink enrol --help")
    return verb


def _enrol(keys: Keys, args: argparse.Namespace) -> Facts:
    made = _made(keys, args)
    given = _voucher(args, args.words[0] if args.words else "")
    data, asked = keys.ask(given, os.urandom(request.NONCE_BYTES), clock.unix_us())
    if not given.url:
        raise RefusedError("this voucher is for a stick: it names no address", "wardlink enrol request DIR")
    opens = _opens(args)
    root = endpoint.root(given.url, given.root, opens)
    return made | _standing(keys, keys.take_answer(asked, endpoint.ask(given.url, [root], data, _known(args), opens)))


def _renew(keys: Keys, args: argparse.Namespace) -> Facts:
    data, asked = keys.ask(None, os.urandom(request.NONCE_BYTES), clock.unix_us())
    if not asked.url:
        raise RefusedError("no address to renew at is known", "ask the centre for a voucher: wardlink enrol")
    roots = ders((keys.folder / ROOTS_FILE).read_bytes())
    return _standing(keys, keys.take_answer(asked, endpoint.ask(asked.url, roots, data, _known(args), _opens(args))))


def _opens(args: argparse.Namespace) -> endpoint.Open | None:
    """What makes connections where the configuration names a proxy."""
    proxy = config.load(Path(args.config)).proxy
    if not proxy:
        return None
    tunnel = through(proxy_of(proxy))

    def open_(host: str, port: int, limit_s: float) -> socket.socket:
        try:
            return tunnel(host, port, limit_s)
        except TunnelError as error:
            raise EndpointError(str(error), f"{error.hint}; or enrol with a stick") from error

    return open_


def _request(keys: Keys, args: argparse.Namespace) -> Facts:
    """With a voucher, on the stick itself or as always; an enrolled gateway without one asks for its renewal."""
    made = _made(keys, args)
    stick = args.stick or args.words[1]
    has_voucher = args.voucher or (Path(stick) / VOUCHER_FILE).is_file() or keys.enrolled() is None
    args.stick = stick if (Path(stick) / VOUCHER_FILE).is_file() else args.stick
    given = _voucher(args, "") if has_voucher else None
    data, asked = keys.ask(given, os.urandom(request.NONCE_BYTES), clock.unix_us())
    file = Path(args.words[1]) / f"wardlink-{asked.gateway}.request"
    durable.place(applying.Owned(), file, request.to_text("REQUEST", data).encode())
    keys.remember(asked)
    return made | {
        "request": str(file),
        "next": "at the centre: wardlink fleet answer; then: wardlink enrol answer FILE",
    }


def _answer(keys: Keys, args: argparse.Namespace) -> Facts:
    asked = keys.remembered()
    try:
        data = request.from_text("ANSWER", _text(args.words[1]))
    except request.RequestError as error:
        raise RefusedError(f"{args.words[1]}: {error}", "copy the file again") from error
    return _standing(keys, keys.take_answer(asked, data))


def _directory(keys: Keys, args: argparse.Namespace) -> Facts:
    if args.words[1] == "-":
        return _standing(keys, keys.take_directory(sys.stdin.buffer.read(FILE_LIMIT_BYTES)))
    with Path(args.words[1]).open("rb") as file:
        return _standing(keys, keys.take_directory(file.read(FILE_LIMIT_BYTES)))


def _label(keys: Keys, _args: argparse.Namespace) -> Facts:
    gateway, model = keys.gateway, board()
    letters = "".join(letter if letter in _QR_LETTERS else " " for letter in model.upper())
    return {"gateway": gateway, "model": model, "qr": f"WLG1:{gateway.upper()}:{letters}"}


_QR_LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./"  # ISO/IEC 18004, alphanumeric; the colon parts


def _seal(keys: Keys, args: argparse.Namespace) -> Facts:
    if keys.protection is not Protection.FILE:
        raise CommandError(f"the key is no plain file: {keys.protection.words}")
    return _protected(keys, keys.seal(args.protect))


def _made(keys: Keys, args: argparse.Namespace) -> Facts:
    """The first act, even where the rest fails: a box can be labelled before there is a voucher."""
    facts = _protected(keys, keys.make(args.protect))
    if not args.json:
        print(f"gateway {facts['gateway']}, its key is {facts['protection']}", file=sys.stderr)
    return facts


def _protected(keys: Keys, why: str) -> Facts:
    found = keys.protection
    note = {"not better": why} if why and found is not Protection.TPM else {}
    return {"gateway": keys.gateway, "protection": f"{found}: {found.words}", **note}


def _standing(keys: Keys, enrolled: Enrolled) -> Facts:
    state = {"revoked": "this gateway is on the list of revoked ones"} if enrolled.revoked else {}
    return {
        "gateway": enrolled.gateway,
        "site": enrolled.site,
        "certificate": f"{_day(enrolled.begins)} to {_day(enrolled.ends)}, renewed from {_day(enrolled.due)} on",
        "directory": enrolled.version,
        "recipients": ", ".join(sorted(file.stem for file in (keys.folder / "recipients").glob("*.pub"))),
        "renewal": enrolled.url or "by voucher only: no address is known",
        **state,
    }


def _known(args: argparse.Namespace) -> tuple[int, int] | None:
    """Between which microseconds since 1970 it surely is; None: only the system's clock can be asked."""
    if args.known:
        earliest, _, latest = args.known.partition("-")
        return int(earliest), int(latest)
    error, utc = clock.look().error_us, clock.unix_us()
    return None if error is None else (utc - error, utc + error)


def _day(us: int) -> str:
    return datetime.datetime.fromtimestamp(us / 1e6, datetime.UTC).date().isoformat()


def _voucher(args: argparse.Namespace, given: str) -> Voucher:
    """Raises VoucherError, RefusedError, CommandError."""
    text = args.voucher or given
    found = voucher.read(sys.stdin.readline(FILE_LIMIT_BYTES) if text == "-" else text or _found(args.stick))
    surely = clock.passed_utc(clock.anchor())
    if surely is not None and surely > found.expires:
        what = f"the voucher {found.name} expired on {_day(found.expires)}"
        raise RefusedError(what, "ask the centre for another; `date` shows this machine's clock")
    return found


def _found(stick: str | None) -> str:
    """The text of the first voucher.txt. Raises CommandError."""
    folders = [Path(stick)] if stick else [*BOOT, *_sticks()]
    for folder in folders:
        if (folder / VOUCHER_FILE).is_file():
            return _text(folder / VOUCHER_FILE)
    where = stick or "/boot/firmware/wardlink, or on a stick"
    hint = f"ask the centre for one (it needs no more than the site); put it in {VOUCHER_FILE} there, or type it"
    raise CommandError(f"there is no voucher in {where}", hint)


def _sticks() -> Iterator[Path]:
    for pattern in STICKS:
        yield from sorted(path for path in Path("/").glob(pattern[1:]) if path.is_dir())


def _text(file: Path | str) -> str:
    with Path(file).open("rb") as read:
        return read.read(FILE_LIMIT_BYTES).decode("ascii", "replace")


_WRITTEN_DOWN = (_enrol, _answer, _directory, _seal)
