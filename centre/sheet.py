"""A 12-lead ECG as a PDF, true to scale: 25 mm a second, 10 mm a millivolt, A4 landscape, in vectors.

Three rows of four leads, 2.5 s each, and ten seconds of lead II. Every length is in millimetres of paper.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFError, TTFont
from reportlab.pdfgen.canvas import Canvas

from centre.ecg import LEADS, SECONDS, Lead, Part, Sheet, band

WIDTH_MM, HEIGHT_MM = 297.0, 210.0
MM_PER_SECOND, MM_PER_MILLIVOLT = 25.0, 10.0
LEFT_MM, BOTTOM_MM = 30.0, 22.0
GRID_LEFT_MM = 20.0  # the calibration pulse stands in front of each row
GRID_WIDTH_MM = 260.0
ROW_MM, ROWS = 35.0, 4
COLUMN_US = 2_500_000
PULSE_MV, PULSE_SECONDS = 1.0, 0.2
STATEMENT = (
    "Transfers, stores, converts and displays device data. Not intended for active patient monitoring.",
    "Does not generate or replace alarms.",
)
_FONTS = Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
_GRID, _GRID_BOLD, _INK, _SOFT = (0.97, 0.84, 0.83), (0.92, 0.66, 0.64), (0, 0, 0), (0.25, 0.25, 0.25)


def pdf(sheet: Sheet) -> bytes:
    """The whole document, one page; the same sheet gives the same bytes."""
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=(WIDTH_MM * mm, HEIGHT_MM * mm), invariant=1, pageCompression=1)
    canvas.setTitle("12-lead ECG")
    canvas.setCreator("wardlink centre")
    page = _Page(canvas)
    page.grid()
    page.head(sheet)
    by_name = {lead.name: lead for lead in sheet.leads}
    for at, name in enumerate(LEADS):
        page.lead(by_name[name], at % 3, at // 3 * COLUMN_US, COLUMN_US)
    page.lead(by_name["II"], ROWS - 1, 0, SECONDS * 1_000_000)
    page.foot()
    canvas.showPage()
    canvas.save()
    return target.getvalue()


class _Page:
    def __init__(self, canvas: Any) -> None:
        self._canvas = canvas
        self._font = _font()

    def grid(self) -> None:
        """Millimetre paper, every fifth line bold."""
        height = ROW_MM * ROWS
        for colour, width, step in ((_GRID, 0.1, 1), (_GRID_BOLD, 0.2, 5)):
            self._canvas.setStrokeColorRGB(*colour)
            self._canvas.setLineWidth(width * mm)
            for at in range(0, int(GRID_WIDTH_MM) + 1, step):
                self._line(GRID_LEFT_MM + at, BOTTOM_MM, GRID_LEFT_MM + at, BOTTOM_MM + height)
            for at in range(0, int(height) + 1, step):
                self._line(GRID_LEFT_MM, BOTTOM_MM + at, GRID_LEFT_MM + GRID_WIDTH_MM, BOTTOM_MM + at)

    def head(self, sheet: Sheet) -> None:
        filters = {name for lead in sheet.leads if lead.is_sent for name in lead.filters}
        self._text(GRID_LEFT_MM, 199, 13, "12-lead ECG")
        self._text(GRID_LEFT_MM, 192, 10, sheet.patient)
        self._text(GRID_LEFT_MM, 187, 10, sheet.bed)
        self._text(GRID_LEFT_MM, 182, 10, sheet.when)
        self._text(GRID_LEFT_MM, 177, 9, sheet.error, _SOFT)
        self._text(150, 199, 11, f"25 mm/s   10 mm/mV   {band(filters)}")
        self._text(150, 192, 9, sheet.device, _SOFT)
        self._text(150, 187, 9, sheet.printed, _SOFT)
        missing = [lead.name for lead in sheet.leads if not lead.is_sent]
        if missing:
            self._text(150, 182, 9, f"Not sent by the device, and not derived here: {', '.join(missing)}")
        centres = [f"{lead.name} at {lead.centre:g} mV" for lead in sheet.leads if lead.centre]
        if centres:
            self._text(150, 177, 8, f"Middle of strip: {', '.join(centres)}", _SOFT)

    def foot(self) -> None:
        for at, line in enumerate(STATEMENT):
            self._text(GRID_LEFT_MM, 14 - 4 * at, 9, line)
        self._text(
            GRID_LEFT_MM, 6, 8, "Print at 100 %: the pulse in front of each row is 10 mm high and 5 mm wide.", _SOFT
        )

    def lead(self, lead: Lead, row: int, begin_us: int, length_us: int) -> None:
        """The part of a lead from `begin_us` on, in its place of a row; the pulse where a row begins."""
        middle = BOTTOM_MM + (ROWS - row - 0.5) * ROW_MM
        if begin_us == 0:
            self._pulse(middle)
        left, right = (_x(us) for us in (begin_us, begin_us + length_us))
        canvas = self._canvas
        canvas.saveState()
        clip = canvas.beginPath()
        clip.rect(left * mm, BOTTOM_MM * mm, (right - left) * mm, ROW_MM * ROWS * mm)
        canvas.clipPath(clip, stroke=0, fill=0)
        for part in (*lead.holes, *lead.marks):
            self._part(part, part in lead.holes, (left, right), middle)
        self._trace(lead, begin_us, begin_us + length_us, middle)
        canvas.restoreState()
        self._text(left + 1, middle + 12.5, 10, lead.name)
        if not lead.is_sent:
            self._text(left + 10, middle, 9, "not sent by the device")

    def _trace(self, lead: Lead, begin_us: int, end_us: int, middle: float) -> None:
        self._canvas.setStrokeColorRGB(*_INK)
        self._canvas.setLineWidth(0.25 * mm)
        self._canvas.setLineJoin(1)
        for run in lead.runs:
            first = max(0, int((begin_us - run.at_us) // run.step_us))
            last = min(len(run.values), int((end_us - run.at_us) // run.step_us) + 2)
            points = [
                (_x(run.at_us + at * run.step_us), middle + (run.values[at] - lead.centre) * MM_PER_MILLIVOLT)
                for at in range(first, last)
            ]
            self._path(points)

    def _part(self, part: Part, is_hole: bool, sides: tuple[float, float], middle: float) -> None:
        """A hole is hatched and says its cause; a mark has a bar above it, or a tick where it is an instant."""
        left, right = max(sides[0], _x(part.begin_us)), min(sides[1], _x(part.end_us))
        if right <= left:
            return
        self._canvas.setStrokeColorRGB(*_SOFT)
        self._canvas.setLineWidth(0.15 * mm)
        if not is_hole and part.words == "pace":
            self._line(left, middle + 8, left, middle + 12)
            return
        top = middle - ROW_MM / 2 + 2
        if is_hole:
            for at in range(int(left), int(right) + 1, 2):
                if left <= at and at + 2 <= right:
                    self._line(at, middle - 5, at + 2, middle + 5)
        self._line(left, top - 0.7, right, top - 0.7)
        self._text(left + 0.5, top, 7, part.words if not is_hole else f"no data: {part.words}")

    def _pulse(self, middle: float) -> None:
        """A millivolt for 200 ms, 5 mm of line before it and 2.5 behind."""
        width = PULSE_SECONDS * MM_PER_SECOND
        x, top = LEFT_MM - width - 2.5, middle + PULSE_MV * MM_PER_MILLIVOLT
        self._canvas.setStrokeColorRGB(*_INK)
        self._canvas.setLineWidth(0.25 * mm)
        self._path(
            [(x - 2, middle), (x, middle), (x, top), (x + width, top), (x + width, middle), (LEFT_MM - 0.5, middle)]
        )

    def _path(self, points: Sequence[tuple[float, float]]) -> None:
        if not points:
            return
        path = self._canvas.beginPath()
        path.moveTo(points[0][0] * mm, points[0][1] * mm)
        for x, y in points[1:] or points:
            path.lineTo(x * mm, y * mm)
        self._canvas.drawPath(path, stroke=1, fill=0)

    def _line(self, *ends: float) -> None:
        self._canvas.line(*(end * mm for end in ends))

    def _text(self, x: float, y: float, size: float, text: str, colour: tuple[float, ...] = _INK) -> None:
        self._canvas.setFillColorRGB(*colour)
        self._canvas.setFont(self._font, size)
        shown = text if self._font != "Helvetica" else text.encode("cp1252", "replace").decode("cp1252")
        self._canvas.drawString(x * mm, y * mm, shown)


def _x(us: float) -> float:
    return LEFT_MM + us / 1_000_000 * MM_PER_SECOND


def _font() -> str:
    """One that knows most scripts where the machine has it; without it letters beyond Latin are printed as `?`."""
    if "DejaVuSans" in pdfmetrics.getRegisteredFontNames():
        return "DejaVuSans"
    try:
        pdfmetrics.registerFont(TTFont("DejaVuSans", str(_FONTS)))
    except (TTFError, OSError):
        return "Helvetica"
    return "DejaVuSans"
