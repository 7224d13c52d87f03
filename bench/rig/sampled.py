"""The centre under a sampler: `python -m bench.rig.sampled FILE centre run --config ...`.

A thread looks, 200 times a second, at where every other thread is that does not wait for something to do. At the end
FILE gets a line for each function: the share of the looks at which it was on a thread's stack, and on top of one.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType

from agent.cli.entry import main

EVERY_S = 0.005
LINES = 70
IDLE = {"threading.py:wait", "selectors.py:select", "queue.py:get", "threading.py:_wait_for_tstate_lock"}
IDLE |= {"client.py:_loop", "runners.py:run", "threading.py:join"}


class Sampler(threading.Thread):
    """`on` and `top` are looks by function."""

    def __init__(self) -> None:
        super().__init__(name="sampler", daemon=True)
        self.on: Counter[str] = Counter()
        self.top: Counter[str] = Counter()
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(EVERY_S):
            for thread, frame in sys._current_frames().items():
                top = f"{Path(frame.f_code.co_filename).name}:{frame.f_code.co_name}"
                if thread != self.ident and top not in IDLE:
                    stack = list(_stack(frame))
                    self.top[stack[0]] += 1
                    self.on.update(set(stack))

    def end(self) -> list[str]:
        self._over.set()
        self.join()
        total = max(1, self.top.total())
        rows = [
            f"{100 * seen / total:5.1f} {100 * self.top[name] / total:5.1f} {name}"
            for name, seen in self.on.most_common()
        ]
        return [f"{total} looks", "   on   top (per cent)", *rows[:LINES]]


def _stack(frame: FrameType | None) -> list[str]:
    out = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        out.append(f"{path.parent.name}/{path.name}:{frame.f_code.co_qualname}")
        frame = frame.f_back
    return out


if __name__ == "__main__":
    sampler = Sampler()
    sampler.start()
    code = main(sys.argv[2:])
    Path(sys.argv[1]).write_text("\n".join(sampler.end()) + "\n")
    sys.exit(code)
