"""Run by test_forgotten: a whole gateway whose data keys come from a pipe, and whose clock jumps an hour at SIGUSR1.

Standard input ends its life after the last beat: what is still in memory then can be looked at.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from agent import clock, config
from agent.gateway import Gateway
from agent.pulse import HOUR_NS
from agent.world import World

KEYS_FD, SAYS_FD = int(sys.argv[2]), int(sys.argv[3])


def secret(count: int) -> bytearray:
    """Straight from the pipe into what is wiped: this program itself leaves no copy."""
    out = bytearray(count)
    os.readv(KEYS_FD, [out])
    return out


def say(word: str) -> None:
    os.write(SAYS_FD, word.encode() + b"\n")


async def main() -> None:
    stop = asyncio.Event()
    jumps: list[int] = []
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGUSR1, jumps.append, HOUR_NS)
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    world = World(
        now=lambda: clock.now() + sum(jumps),
        secret=secret,
        ready=lambda _: say("ready"),
        progress=lambda _: say("beat"),
    )
    gateway = Gateway(config.load(Path(sys.argv[1])), world)
    await gateway.run(stop)
    say("over")
    await loop.run_in_executor(None, sys.stdin.buffer.read)


asyncio.run(main())
