"""`python -m tests.attack.canaries --seconds 30`: what of patients is left on the card, at the broker and on the wire.

A real gateway hears three devices that say canaries: an oximeter's samples, a wristband, a monitor's patient page. It
delivers in the clear (no TLS, so the wire is what the broker reads) through a proxy that records, to a real mosquitto.
Then everything is searched for them in every form of `needles`, and for the data keys of every hour; the gateway is
killed as by a stolen card, and the card is searched too: files, and where root runs this the whole disk. Exit code 0:
found nowhere but where it must be (the tape in memory and the gateway itself: the control, which shows that the search
finds).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from agent import clock
from agent.binding import codes, pseudonym
from agent.lab.line import Line
from agent.lab.voices.contec_v7 import ContecV7Voice
from agent.spool import read_folder
from tests.attack import needles, raw_disk
from tests.attack.ward import running
from tests.system.bell import Bell
from tests.system.gateway_rig import Centre, Gateway, Mosquitto, free_port
from wire import keys, statement
from wire.seal import grant_info
from wire.statement import Grant
from wire.topics import Class

CONTROL = ("tape, in memory", "gateway's memory")
DISK = "card, as a raw disk"
NEVER = ("wire", "broker's memory", "card", "status, metrics and the rest of the runtime folder", "log and environment")
_WRITABLE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) rw")
READ_BYTES = 1 << 24
SCAN = f"]C18018{needles.RECIPIENT}\r\n".encode()


def page() -> bytes:
    """A patient's page and a reading of a monitor, HL7 over MLLP, as drivers/mindray has them."""
    head = r"MSH|^~\&|||||||ORU^R01|{}|P|2.3.1|"
    beat = f"{head.format(106)}\r"
    one = f"{head.format(103)}\rPID|||{needles.CODE}||{needles.NAME}^Ada||19000101|F|\rOBR||||{needles.SERIAL}|||0|\r"
    two = f"{head.format(204)}\rOBX||NM|200^T1|2104|{needles.NUMBER}||||||F\r"
    return b"".join(b"\x0b" + text.encode() + b"\x1c\r" for text in (beat, one, two))


class Wire:
    """A proxy that keeps every byte of both directions."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self.said = bytearray()

    async def start(self) -> Wire:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._upstream)
        with suppress(OSError, asyncio.CancelledError):
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(READ_BYTES):
            self.said += data
            writer.write(data)
        writer.close()

    def stop(self) -> None:
        self._server.close()


class Bedside:
    """Oximeter and reader on pseudo-terminals, a monitor on the network; they talk until `hush`."""

    def __init__(self, folder: Path) -> None:
        self.said: list[int] = []
        self._lines = [Line(folder / name, clock.now) for name in ("oximeter", "reader")]
        voice = ContecV7Voice({"pleth": needles.SAMPLES}, lambda _, samples: self.said.extend(samples))
        scans = [(second * 500_000_000, SCAN) for second in range(100_000)]
        self._tasks = [
            asyncio.create_task(self._lines[0].speak(voice)),
            asyncio.create_task(self._lines[1].play(scans)),
        ]
        self.monitor_port = free_port()

    async def monitor(self) -> None:
        self._server = await asyncio.start_server(self._show, "127.0.0.1", self.monitor_port)

    async def _show(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            writer.write(page())
            while await reader.read(4096):
                writer.write(page())
                await writer.drain()
        writer.close()

    async def hush(self) -> None:
        for line in self._lines:
            line.stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._server.close()


def memory_of(pid: int) -> Iterator[bytes]:
    """What a process can write, region by region."""
    with Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for first, last in _WRITABLE.findall(Path(f"/proc/{pid}/maps").read_text()):
            begin, end = int(first, 16), int(last, 16)
            with suppress(OSError, OverflowError, ValueError):
                memory.seek(begin)
                yield memory.read(end - begin)


def words_of(pid: int) -> list[bytes]:
    """What a process was started with."""
    return [Path(f"/proc/{pid}/{name}").read_bytes() for name in ("environ", "cmdline")]


def files_of(folder: Path, *, tape: bool) -> Iterator[bytes]:
    """The bytes and the name of each file; of the runtime folder the tape alone, or all but it."""
    for file in sorted(folder.rglob("*")):
        with suppress(OSError):
            if file.is_file() and (file.parent.name == "tape") == tape:
                yield file.name.encode() + b"\n" + file.read_bytes()


def is_on_tape(gateway: Gateway, pieces: list[bytes]) -> bool:
    """Looks again until a scan stands there: a piece lives until its envelopes are durable, about a second."""
    pieces += files_of(gateway.runtime, tape=True)
    return any(SCAN in piece for piece in pieces)


def data_keys(gateway: Gateway, envelopes: list[bytes]) -> list[bytes]:
    """The key of every hour, as the recipient opens it."""
    found = []
    for data in envelopes:
        if data[1] != Class.KEY:
            continue
        header, said = statement.read(gateway.ring.gateway_id, data)
        if isinstance(said, Grant):
            secret: keys.RecipientSecret = gateway.secret
            shares = dict(said.shares)
            info = grant_info(gateway.ring.gateway_id, header.epoch, header.hour, secret.recipient.kid)
            found.append(bytes(secret.open(shares[secret.recipient.kid], info)))
    return found


def configured(folder: Path, wire: int, bed: Bedside) -> Gateway:
    gateway = Gateway(folder, f"mqtt://127.0.0.1:{wire}", [folder / "oximeter"])
    more = f'[[port]]\npath = "{folder / "reader"}"\ndriver = "barcode_reader"\n'
    more += f'[[port]]\npath = "tcp://127.0.0.1:{bed.monitor_port}"\ndriver = "mindray_hl7"\n'
    gateway.config.write_text(gateway.config.read_text() + more)
    return gateway


async def story(folder: Path, seconds: float, disk: Path | None = None) -> dict[str, Any]:
    """`disk`: the image in which the gateway's state lies, where it has one of its own."""
    mosquitto = Mosquitto(folder)
    mosquitto.start()
    wire = await Wire(mosquitto.port).start()
    bed = Bedside(folder)
    await bed.monitor()
    gateway = configured(folder, wire.port, bed)
    centre = await Centre(mosquitto.port).ready()
    seen: dict[str, list[bytes]] = {}
    try:
        async with running(gateway):
            await Bell().until(lambda: len(bed.said) > 60 * seconds and len(centre.envelopes) > 8, 2 * seconds + 30)
            pid = gateway.process.pid
            seen["tape, in memory"] = tape = []
            await Bell().until(lambda: is_on_tape(gateway, tape))
            seen[NEVER[3]] = list(files_of(gateway.runtime, tape=False))
            seen["gateway's memory"] = list(memory_of(pid))
            seen["broker's memory"] = list(memory_of(mosquitto._process.pid))
            environment = await asyncio.to_thread(words_of, pid)
            gateway.kill()
        seen["wire"] = [bytes(wire.said)]
        seen["card"] = list(files_of(folder / "state", tape=False))
        if disk is not None:
            seen[DISK] = list(raw_disk.raw(disk))
        seen["log and environment"] = [gateway.log.read_bytes(), *environment]
        secrets = data_keys(gateway, [*centre.envelopes, *(one.data for one in read_folder(gateway.spool))])
    finally:
        await bed.hush()
        centre.stop()
        wire.stop()
        mosquitto.stop()
    return verdict(seen, secrets, gateway, centre)


def verdict(seen: dict[str, list[bytes]], secrets: list[bytes], gateway: Gateway, centre: Centre) -> dict[str, Any]:
    """Bytes looked at and canaries found, by place; `proven`: the centre could read them, so they were there."""
    wanted = {**needles.all_needles(), "data keys": secrets, "gateway's key": [_private(gateway)]}
    places = {
        place: {
            "bytes": sum(map(len, pieces)),
            "found": sorted({name for piece in pieces for name in needles.found_in(piece, wanted)}),
        }
        for place, pieces in seen.items()
    }
    opened = gateway.opened(centre.envelopes)
    told = repr(opened.records)
    pleth = bytes(value & 127 for value in opened.heard("pleth", str(gateway.folder / "oximeter")))
    named = pseudonym.namer(pseudonym.derived(_private(gateway), "pseudonym"))
    proven = {
        "samples": bytes(needles.SAMPLES) in pleth,
        "patient's number, as its pseudonym": named(codes.normalised(needles.CODE)) in told,
        "wristband, as its pseudonym": named(codes.normalised(needles.RECIPIENT)) in told,
        "no name, no number": not any(one in told for one in (needles.NAME, needles.CODE, needles.RECIPIENT)),
    }
    good = all(not places[place]["found"] for place in (*NEVER, DISK) if place in places) and all(proven.values())
    good = good and all(places[place]["found"] for place in CONTROL) and bool(secrets)
    return {"good": good, "places": places, "read by the centre": proven, "data keys": len(secrets)}


def _private(gateway: Gateway) -> bytes:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key((gateway.ring.gateway / "gateway.key").read_bytes(), None)
    return bytes(key.private_bytes_raw())  # type: ignore[union-attr]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attack.canaries", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seconds", type=float, default=30.0, help="how long the devices talk")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, raw_disk.mounted(Path(name, "disk"), Path(name, "state")) as disk:
        said = asyncio.run(story(Path(name), args.seconds, disk))
    print(json.dumps(said))
    return 0 if said["good"] else 1


if __name__ == "__main__":
    sys.exit(main())
