"""`wardlink status`: how the gateway on this machine is, what is wrong and what to do. Needs no network.

Exits 0 where nothing is wrong, 1 where something is.
"""

from __future__ import annotations

import argparse
import math
import time
from pathlib import Path

import msgspec

from agent import keysource
from agent.cli.talk import CommandError, plain
from agent.health import causes, net, status
from wire.grades import grade


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("status", help="how the gateway is", description=__doc__)
    parser.add_argument("--runtime", default="/run/wardlink", metavar="FOLDER", help="default /run/wardlink")
    parser.add_argument("--keys", default="/etc/wardlink/keys", metavar="FOLDER", help="default /etc/wardlink/keys")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.set_defaults(run=run)


def last(runtime: str) -> status.Status:
    """What the gateway wrote last. Raises CommandError."""
    try:
        return status.read(Path(runtime))
    except FileNotFoundError as error:
        raise CommandError("no gateway has run here since the machine started", "systemctl start wardlink") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CommandError(f"{runtime}: not a status: {error}") from error


def run(args: argparse.Namespace) -> int:
    runtime = Path(args.runtime)
    now = last(args.runtime) if (runtime / status.STATUS_FILE).exists() else None
    wrong = setup_causes(runtime, Path(args.keys), now is not None)
    if now is None and not wrong:
        last(args.runtime)
    if now is not None:
        found = causes.of(now, time.time() - now.written_unix_s, net.look())
        wrong += [cause for cause in found if cause.code not in {one.code for one in wrong}]
    if args.json:
        problems = [{"code": code, "problem": problem, "next": step} for code, problem, step in wrong]
        print(msgspec.json.encode({"status": now, "problems": problems, "keysource": keysource.read(runtime)}).decode())
    else:
        said = [line for _, problem, step in wrong for line in (f"problem: {problem}", f"   next: {step}")]
        codes_said = [f"   code: {wrong[0].code}"] if wrong else []
        print(
            "\n".join(map(plain, [*(_page(now) if now else []), *_at_rest(runtime), *said[:2], *codes_said, *said[2:]]))
        )
    return 1 if wrong else 0


def setup_causes(runtime: Path, keys: Path, has_status: bool) -> list[causes.Cause]:
    """What went wrong before the gateway could run: the setup, the enrolment."""
    from agent.setup import standing
    from config import codes

    found = []
    said = standing.read(runtime)
    if said is not None and said.state == "failed":
        found.append(causes.Cause(said.code, f"setup: {said.cause}", said.next))
    if not has_status and not found and keys.is_dir() and not (keys / "gateway.crt").exists():
        meaning = codes.MEANINGS[codes.NO_VOUCHER]
        step = "`wardlink enrol` with a voucher, or voucher in wardlink.txt (docs/enrolment.md)"
        found.append(causes.Cause(meaning.code, meaning.cause, step))
    return found


def _at_rest(runtime: Path) -> list[str]:
    source = keysource.read(runtime)
    return [f"  card: {keysource.WORDS[source]} (keysource {source})"] if source else []


def _page(now: status.Status) -> list[str]:
    lines = [f"gateway {now.gateway} at {now.site} {now.bed}".rstrip(), status.summary(now), f"  {_clock(now)}"]
    for port in now.ports:
        age = "never heard" if port.heard_s is None else f"heard {port.heard_s:.1f} s ago"
        lines.append(f"  {port.path}  {port.driver}  {port.state}, {age}, {port.frames} frames, {port.bad_frames} bad")
    lines += _radio(now.radio) if now.radio else []
    lines += _trust(now)
    for chain in now.spool.chains:
        room = status.room_words(chain.room_h)
        lines.append(f"  spool {chain.name}: {chain.waiting_envelopes} waiting ({chain.waiting_bytes} bytes), {room}")
    if now.volume:
        lines.append(f"  volume: {now.volume.words()}, {now.volume.held or 'all is sent'}")
    if now.policy:
        lines.append(f"  set by the centre: {now.policy}")
    for one in now.relayed:
        left = "not delivered" if one.problem else "all delivered"
        if one.waiting_envelopes:
            left = f"{one.waiting_envelopes} left ({one.waiting_bytes} bytes)"
        lines.append(f"  relayed for {one.gateway}: {left}, {one.held_envelopes} confirmed")
    return lines


def _trust(now: status.Status) -> list[str]:
    if not now.key:
        return []
    enrolled = "keys made by hand"
    if now.trust is not None:
        ends = time.strftime("%Y-%m-%d", time.gmtime(now.trust.ends_unix_s))
        enrolled = f"certificate until {ends}, directory {now.trust.directory}"
    return [f"  identity: {enrolled}, key kept: {now.key}", *([f"  patient: {now.patient}"] if now.patient else [])]


def _clock(now: status.Status) -> str:
    """The gateway's own time: where it comes from, by how much it may be wrong, and the grade of that."""
    if now.clock_error_s is None:
        return f"clock: {now.clock}, grade {grade(None)}"
    return f"clock: {now.clock} ± {now.clock_error_s:.3f} s, grade {grade(math.ceil(now.clock_error_s * 1e6))}"


def _radio(radio: status.RadioStatus) -> list[str]:
    taken = [f"{rung} {count} times" for rung, count in radio.rungs.items() if count]
    lines = [
        f"  radio: {radio.state}, {radio.advertisements} advertisements, {radio.strange_advertisements} of strangers"
    ]
    if taken or radio.rungs_failed:
        lines.append(f"  radio mended: {', '.join(taken)}; {radio.rungs_failed} of these failed")
    for one in radio.devices:
        age = "never heard" if one.heard_s is None else f"heard {one.heard_s:.1f} s ago"
        refused = f", refused {one.refused} times" if one.refused else ""
        lines.append(
            f"  ble {one.address}  {one.driver}  {one.state}, {age}, {one.frames} frames, {one.bad_frames} bad{refused}"
        )
    return lines
