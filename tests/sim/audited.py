"""After the calm: the audit log on the card proves itself, and has come through what the centre was told of it."""

from __future__ import annotations

from pathlib import Path

from agent import audit as files
from wire import audit
from wire.audit import AuditError, Head


def judge(stage) -> None:
    """Nothing may be altered or missing, whatever power cuts and kills there were; but on a card that rots."""
    card, folder = stage.machine.card, Path(stage.machine.config.state) / files.FOLDER
    if any(path.parent == folder for path in {*card.rotten, *(at for at, _ in card.bad_places)}):
        stage.count("audit log on a rotten card")
        return
    lines = files.lines(files.kept(card, folder))
    told = stage.centre.store.audit(stage.address.gateway)
    try:
        key = audit.key_of(lines)
        audit.verify(lines, key, Head(told.count, told.hash) if told else None)
    except AuditError as error:
        stage.problem(f"the audit log: {error}")
    if told is not None and told.problem:
        stage.problem(f"the audit log, says the centre: {told.problem}")
