"""Pages: the templates, which escape every value that is put into them."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from bratsseg import wording
from bratsseg.report import phrases
from bratsseg.study.regions import APPEARANCE, Region


def template(name: str) -> Template:
    """A template of this package by its file name."""
    return _environment().get_template(name)


def inline(*names: str) -> Markup:
    """Style sheets or scripts of this package, joined, as they stand: they hold no value of any case."""
    folder = files("bratsseg.report") / "templates"
    return Markup("\n").join(Markup((folder / name).read_text(encoding="utf-8")) for name in names)


def colour(region: Region) -> str:
    """A region's colour for a style sheet."""
    return "#{:02x}{:02x}{:02x}".format(*APPEARANCE[region].colour)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bratsseg.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=False,
        keep_trailing_newline=True,
    )
    environment.globals.update(wording=wording, phrases=phrases, colour=colour)
    return environment
