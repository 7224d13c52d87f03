"""The command line: finds the verb, runs it, turns typed errors into words and exit codes."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from agent.cli.talk import EX_CONFIG, CommandError, fail
from config.load import ConfigError

VERBS = (
    "run",
    "adt",
    "audit",
    "check",
    "drivers",
    "bond",
    "bundle",
    "decode",
    "devices",
    "probe",
    "record",
    "replay",
    "site-key",
    "spool",
    "status",
    "time",
    "update",
    "page",
    "enrol",
    "wipe",
    "setup",
    "led",
    "verify",
    "centre",
    "fleet",
    "demo",
)


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="wardlink", description="the gateway at the hospital bed")
    commands = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in words[:1] if words[:1] and words[0] in VERBS else VERBS:  # only the verb that is asked for is loaded
        importlib.import_module(f"agent.cli.{verb.replace('-', '_')}").add(commands)
    args = parser.parse_args(words)
    return _run(args)


def _run(args: argparse.Namespace) -> int:
    try:
        code: int = args.run(args)
        return code
    except ConfigError as error:
        fail(error)
        return EX_CONFIG
    except _told() as error:
        fail(error)
        return 1
    except UnicodeDecodeError:
        fail(CommandError("the file is not UTF-8 text"))
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read us has seen enough
        return 0
    except OSError as error:
        said = error.strerror or str(error)
        fail(CommandError(f"{error.filename}: {said}" if error.filename else said))
        return 1
    except KeyboardInterrupt:
        return 130


def _told() -> tuple[type[Exception], ...]:
    """Ours, and those of what the verb has loaded: most have no use for drivers, and each start of a board counts."""
    errors = (("drivers.registry", "UnknownDriverError"), ("drivers.capture", "CaptureError"))
    return (CommandError, *(getattr(sys.modules[room], name) for room, name in errors if room in sys.modules))


if __name__ == "__main__":
    sys.exit(main())
