"""Sheet: a case on one page of A4, as PDF."""

from __future__ import annotations

import io
from xml.sax.saxutils import escape

from reportlab import rl_config
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, Image, KeepInFrame, Paragraph, Spacer, Table, TableStyle

from bratsseg.report import phrases
from bratsseg.report.case_facts import CaseFacts, RegionRow
from bratsseg.report.overlay import Colour, jpeg
from bratsseg.report.picture import latin
from bratsseg.study.regions import APPEARANCE
from bratsseg.wording import lines_of

rl_config.useA85 = 0  # binary streams: a quarter smaller, and .5 s a page quicker than its encoder in Python
_EDGE = 14 * mm
_WIDTH, _HEIGHT = A4[0] - 2 * _EDGE, A4[1] - 2 * _EDGE
_PICTURES_HEIGHT = 165 * mm
_MOST_FLAGS = 8
_TITLE = ParagraphStyle("title", fontName="Helvetica-Bold", fontSize=15, leading=19, wordWrap="CJK")
_TEXT = ParagraphStyle("text", fontName="Helvetica", fontSize=9, leading=12)
_BOLD = ParagraphStyle("bold", parent=_TEXT, fontName="Helvetica-Bold")
_SMALL = ParagraphStyle("small", parent=_TEXT, fontSize=7, leading=9, textColor=colors.HexColor("#57606a"))
_SOFT_LINE = colors.HexColor("#d5dae0")


def case_pdf(facts: CaseFacts, cuts: Colour | None) -> bytes:
    """One page with the mosaic ``cuts``; what does not fit at full size is shrunk. Equal facts give equal bytes."""
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=A4, invariant=1, pageCompression=1)
    canvas.setTitle(latin(facts.result.case))
    canvas.setAuthor("bratsseg")
    page = KeepInFrame(_WIDTH, _HEIGHT, _story(facts, cuts), mode="shrink", vAlign="TOP")
    _, height = page.wrapOn(canvas, _WIDTH, _HEIGHT)
    page.drawOn(canvas, _EDGE, A4[1] - _EDGE - height)
    canvas.showPage()
    canvas.save()
    return stream.getvalue()


def _story(facts: CaseFacts, cuts: Colour | None) -> list[Flowable]:
    story: list[Flowable] = [
        Paragraph(_safe(facts.result.case), _TITLE),
        Paragraph(_safe(facts.headline), _BOLD),
        Paragraph(_safe(phrases.RESEARCH_USE), _SMALL),
        Spacer(1, 3 * mm),
        _table(facts),
        Spacer(1, 2 * mm),
    ]
    where = facts.measures.location
    if not facts.physical:
        story.append(Paragraph(_safe(phrases.NO_SIZE), _TEXT))
    elif where is not None:
        told = f", told by {where.middle}" if where.middle else ""
        text = f"Side: {phrases.side(where)}{told}. Centre: {phrases.centre(where)} of the origin."
        story.append(Paragraph(_safe(text), _TEXT))
    flags = [f"Flag: {warning}" for warning in facts.warnings]
    story += [Paragraph(_safe(line), _TEXT) for line in lines_of(flags, _MOST_FLAGS, " on the page")]
    story += [Spacer(1, 3 * mm), *_pictures(facts, cuts), Paragraph(_safe(_provenance(facts)), _SMALL)]
    return story


def _table(facts: CaseFacts) -> Table:
    head = ["Region", "Volume", "Longest axial", "Perpendicular", "Product", "Slice", "Lesions"]
    if not facts.physical:
        head = ["Region", "Size", "Lesions"]
    rows = [_cells(row, facts.physical) for row in facts.rows()]
    table = Table([head, *rows], hAlign="LEFT", spaceBefore=0)
    style = [
        ("FONT", (0, 0), (-1, 0), "Helvetica-Bold", 8),
        ("FONT", (0, 1), (-1, -1), "Helvetica", 9),
        ("LINEBELOW", (0, 0), (-1, -1), 0.5, _SOFT_LINE),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
    for number, row in enumerate(facts.rows(), start=1):
        ink = colors.Color(*(value / 255 for value in APPEARANCE[row.region].colour))
        style.append(("LINEBEFORE", (0, number), (0, number), 4, ink))
        if row.state != "found":
            style.append(("SPAN", (1, number), (-1, number)))
    table.setStyle(TableStyle(style))
    return table


def _cells(row: RegionRow, physical: bool) -> list[Flowable | str]:
    name = f"{row.name} ({row.region})"
    if row.state != "found":
        answer = f"{row.answer}: {row.why}" if row.why else row.answer
        return [name, Paragraph(_safe(answer), _TEXT), *([""] * (5 if physical else 1))]
    numbers = [row.longest, row.perpendicular, row.product, row.slice] if physical else []
    return [name, *(latin(text) for text in (row.answer, *numbers, row.lesions))]


def _pictures(facts: CaseFacts, cuts: Colour | None) -> list[Flowable]:
    if cuts is None:
        return []
    height, width = cuts.shape[:2]
    scale = min(_WIDTH / width, _PICTURES_HEIGHT / height)
    content = io.BytesIO(jpeg(cuts, max(height, width), quality=88))
    note = "Radiological view: the patient's right is on the left of axial and coronal cuts."
    after = [Paragraph(_safe(note), _SMALL)] if facts.physical else []
    return [Image(content, width * scale, height * scale, hAlign="LEFT"), *after, Spacer(1, 2 * mm)]


def _provenance(facts: CaseFacts) -> str:
    made = "; ".join(f"{name}: {value}" for name, value in facts.provenance())
    scans = "; ".join(f"{label}: {file} ({sha[:12]}…)" for label, file, sha in facts.inputs())
    return f"{made}. Scans: {scans}."


def _safe(text: str) -> str:
    """Text for a Paragraph, which reads markup."""
    return escape(latin(text))
