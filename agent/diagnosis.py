"""Makes the diagnostic bundle of what lies in the folders: the same for the command, the daemon and the stick.

No patient data: it reads no envelope and no tape, and of what was written by the daemon it leaves out each text that a
device, a person or an exception may have worded. The bed's name and radio names stay here for that reason too.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent import VERSION, audit, history, keysource
from agent.config import Config
from agent.health import status, wear
from agent.setup import standing
from agent.spool.check import check_folder
from agent.spool.files import Disk, Files
from agent.spool.terms import SpoolError
from config.proxy import proxy_of
from wire import diagnosis
from wire.keys import Recipient, gateway_id

CHECK_LIMIT_BYTES = 256 << 20  # a larger spool takes minutes to prove: `wardlink spool check`
SECRET_WORDS = ("passkey", "password", "secret", "token", "key", "pin")
_WORDED = ("bed", "words")  # fields of the status that somebody else may have worded, and in its part on radio:
_NAMED = ("name",)


def made(
    config: Config,
    signer: Ed25519PrivateKey,
    recipients: Sequence[Recipient],
    secret: bytes,
    epoch: int,
    utc: int | None,
) -> bytes:
    """The file, at most DIAGNOSIS_LIMIT_BYTES. `secret`: 32 fresh random bytes. Raises OSError."""
    parts = gathered(config, gateway_id(signer.public_key()), Disk())
    sealed = diagnosis.seal(signer, recipients, secret, epoch, utc, diagnosis.pack(parts))
    if len(sealed) <= diagnosis.DIAGNOSIS_LIMIT_BYTES:
        return sealed
    lines = parts["audit.jsonl"]
    parts["audit.jsonl"] = lines[lines.find(b"\n", len(lines) - (1 << 20)) + 1 :]
    return diagnosis.seal(signer, recipients, secret, epoch, utc, diagnosis.pack(parts))


def gathered(config: Config, gateway: str, files: Files) -> dict[str, bytes]:
    """The parts by name."""
    state, runtime = Path(config.state), Path(config.runtime)
    told = history.read(runtime)
    return {
        "about.json": _json(_about(config, gateway, state, runtime)),
        "config.json": _json(_settings(config)),
        "status.json": _json(_status(runtime)),
        "spool.json": _json(_spool(state / "spool", files)),
        "storage.json": _json(wear.look()),
        "setup.json": _json(_setup(runtime)),
        "link.json": _json(told.link if told else []),
        "clock.json": _json(told.anchors if told else []),
        "log.txt": "\n".join(told.log if told else ()).encode("utf-8", "backslashreplace"),
        "audit.jsonl": audit.kept(files, state / audit.FOLDER),
    }


def _about(config: Config, gateway: str, state: Path, runtime: Path) -> dict[str, Any]:
    machine = platform.uname()  # not its name: people give names to machines
    source = keysource.read(runtime)
    return {
        "version": VERSION,
        "gateway": gateway,
        "site": config.site,
        "python": platform.python_version(),
        "system": f"{machine.system} {machine.release} {machine.machine}",
        "keysource": f"{source}: {keysource.WORDS[source]}" if source else "",
        "state": sorted(path.name for path in state.iterdir()) if state.is_dir() else [],
    }


def _setup(runtime: Path) -> Any:
    """Without its words: they quote what an engineer wrote."""
    found = standing.read(runtime)
    return {"state": found.state, "code": found.code, "inforce": found.inforce} if found else {"state": "none"}


def _settings(config: Config) -> Any:
    """The configuration without secrets, and without the bed, which a person worded."""
    plain = msgspec.to_builtins(config) | {"bed": "" if not config.bed else "left out"}
    parts = urlsplit(config.broker)
    plain["broker"] = f"{parts.scheme}://{parts.hostname}:{config.broker_port}"
    plain["proxy"] = proxy_of(config.proxy).text if config.proxy else ""
    return _without(plain, SECRET_WORDS)


def _status(runtime: Path) -> Any:
    try:
        found = _without(msgspec.to_builtins(status.read(runtime)), _WORDED)
        found["radio"] = _without(found["radio"], _NAMED)
        for task in found["tasks"]:
            task["last_error"] = task["last_error"].partition(":")[0]  # its type; its text may hold what a device said
        return found
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        return {"problem": f"no status can be read: {type(error).__name__}"}


def _without(value: Any, words: Sequence[str]) -> Any:
    """The same with the texts of these fields left out, at any depth."""
    if isinstance(value, dict):
        return {key: _left(item) if key in words else _without(item, words) for key, item in value.items()}
    return [_without(item, words) for item in value] if isinstance(value, list) else value


def _left(value: Any) -> Any:
    return "left out" if isinstance(value, str) and value else value


def _spool(folder: Path, files: Files) -> dict[str, Any]:
    if not folder.is_dir():
        return {"problem": "there is no spool"}
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir()) if path.is_file()}
    found: dict[str, Any] = {"files": sizes}
    try:
        lock = files.lock(folder / "lock")
    except OSError:
        return found | {"check": "the daemon has it open"}
    try:
        if sum(sizes.values()) > CHECK_LIMIT_BYTES:
            return found | {"check": "too large to be proven here: wardlink spool check"}
        return found | {"check": check_folder(folder)}
    except (OSError, SpoolError) as error:
        return found | {"check": f"it cannot be read: {type(error).__name__}"}
    finally:
        files.close(lock)


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1)
