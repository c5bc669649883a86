"""The page of one case: HTML that needs no other file, no script and no network."""

from __future__ import annotations

from markupsafe import Markup

from bratsseg.report.case_facts import CaseFacts
from bratsseg.report.gallery import Cut
from bratsseg.report.measures import LESION_ML
from bratsseg.report.overlay import Codes, data_uri, layer_png, png
from bratsseg.report.pages import inline, template


def case_page(facts: CaseFacts) -> str:
    """The page as text. Pictures are inside as PNG: each scan at its own resolution, the outlines above it finer."""
    page: str = template("case.html.j2").render(
        facts=facts,
        style=inline("style.css", "case.css"),
        lesion_ml=f"{LESION_ML:g}",
        figure=_figure,
        layer_uri=_layer_uri,
    )
    return page


def _figure(cut: Cut, layer: str) -> Markup:
    letters = zip(("left", "up", "right", "low"), cut.plane.letters, strict=True)
    ground = data_uri(png(cut.ground))
    page = template("figure.html.j2").render(cut=cut, ground=ground, layer=layer, letters=list(letters))
    return Markup(page)


def _layer_uri(layer: Codes) -> str:
    return data_uri(layer_png(layer))
