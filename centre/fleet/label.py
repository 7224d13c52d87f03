"""A text as a QR code: on a terminal, or as a file that can be printed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from centre.fleet.store import FleetError

if TYPE_CHECKING:
    import segno

KINDS = ("png", "svg", "txt")
_SCALE = 6
_ERRORS = "m"  # 15 % of the letters may be dirty


def terminal(text: str) -> str:
    """Half a character a module, with the quiet border that readers need."""
    drawn = io.StringIO()
    _made(text).terminal(out=drawn, border=2, compact=True)
    return drawn.getvalue()


def save(text: str, path: Path) -> None:
    """As the file's ending says: png, svg or txt. Raises FleetError."""
    kind = path.suffix.lower().removeprefix(".")
    if kind not in KINDS:
        raise FleetError(f"{path}: a QR code is {', '.join(KINDS)}", "--qr voucher.png")
    if kind == "txt":
        path.write_text(terminal(text), encoding="utf-8")
    else:
        _made(text).save(str(path), scale=_SCALE)
    path.chmod(0o600)


def _made(text: str) -> segno.QRCode:
    try:
        import segno  # noqa: PLC0415  the one thing here that needs it
    except ModuleNotFoundError as error:
        raise FleetError("the package segno is missing", "pip install 'wardlink[centre]'; or use the text") from error
    return segno.make(text, error=_ERRORS, micro=False)
