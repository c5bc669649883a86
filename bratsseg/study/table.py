"""A table that a person typed, as spreadsheets save it: commas, semicolons or tabs, with or without a line ``sep=;``,
in UTF-8, UTF-16 or, as Excel on Windows writes plain CSV, in code page 1252. Rows without any text are no rows.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path

from bratsseg.errors import ConfigError

_SEPARATOR = re.compile(r'^"?sep=(.)"?\r?\n', re.IGNORECASE)


@dataclass(frozen=True)
class TableRow:
    """One row: its ``number`` as a spreadsheet counts, and its ``cells`` by column name in lower case."""

    number: int
    cells: dict[str, str]


def read_table(path: Path) -> list[TableRow]:
    """The rows below the one that names the columns, the first with any text; ``ConfigError`` says which is wrong."""
    text = read_text(path).replace("\r\n", "\n").replace("\r", "\n")  # alone as Excel for Mac ends its lines
    first = 1
    if stated := _SEPARATOR.match(text):
        text, first, delimiter = text[stated.end() :], 2, stated[1]
    else:
        head = next((line for line in text.split("\n") if line.strip('\t;, "')), "")
        delimiter = next((sign for sign in "\t;," if sign in head), ",")
    lines = [(number, cells) for number, cells in enumerate(_cells(text, delimiter, path), first) if any(cells)]
    if not lines:
        return []
    columns = [name.lower() for name in lines[0][1]]
    named = [name for name in columns if name]
    if len(set(named)) < len(named):
        raise ConfigError(f"table {path}: each column must have a name of its own, were {', '.join(named)}")
    for number, cells in lines[1:]:
        if any("\n" in cell and delimiter in cell for cell in cells):
            raise _unclosed(path, number)
    return [TableRow(number, _by_column(columns, cells, f"table {path}: row {number}")) for number, cells in lines[1:]]


def _cells(text: str, delimiter: str, path: Path) -> list[list[str]]:
    """The stripped cells of every row, empty ones too."""
    rows: list[list[str]] = []
    try:
        rows += csv.reader(io.StringIO(text), delimiter=delimiter)
        if text.count('"') % 2:  # an inch or a quote amid a cell is text, and closes nothing
            for _ in csv.reader(io.StringIO(text), delimiter=delimiter, strict=True):
                pass
    except csv.Error as error:
        if "unexpected end" in str(error):
            raise _unclosed(path, len(rows)) from error
        if "expected after" not in str(error):
            raise ConfigError(f"table {path}: must be CSV, row {len(rows) + 1} is not; {error}") from error
    return [[cell.strip() for cell in cells] for cells in rows]


def _unclosed(path: Path, row: int) -> ConfigError:
    return ConfigError(
        f'table {path}: row {row}: a quote (") must be closed, one takes in the rows that follow; add it'
    )


def read_text(path: Path) -> str:
    """A text file in one of the encodings above; ``ConfigError`` when it cannot be read or is no text."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: must be a readable text file; {error.strerror or error}") from error
    encodings = ["utf-8-sig", "cp1252"]
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    for encoding in encodings:
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise ConfigError(f"{path}: must be text in UTF-8, UTF-16 or code page 1252, is none; save it as CSV UTF-8")


def _by_column(columns: list[str], cells: list[str], owner: str) -> dict[str, str]:
    surplus = [cell for name, cell in zip(columns, cells, strict=False) if cell and not name] + cells[len(columns) :]
    if any(surplus):
        raise ConfigError(f"{owner}: every cell must have a column, {next(filter(None, surplus))!r} has none")
    row = dict.fromkeys(filter(None, columns), "")
    return row | {name: cell for name, cell in zip(columns, cells, strict=False) if name}
