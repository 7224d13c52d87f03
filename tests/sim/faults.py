"""All kinds of faults. A public function of these two files is one; nothing else must be listed."""

from __future__ import annotations

from tests.sim import faults_far, faults_near
from tests.sim.faults_far import MOODS, Fault

ALL: tuple[Fault, ...] = (
    *(
        thing
        for file in (faults_near, faults_far)
        for name, thing in vars(file).items()
        if not name.startswith("_") and getattr(thing, "__module__", "") == file.__name__
    ),
    *MOODS,
)
