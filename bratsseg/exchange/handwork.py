"""Label maps in an output folder that a person changed since they were written there: kept, or moved aside first."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path

from bratsseg.files import digest, write_files
from bratsseg.results.filenames import BIDS_FOLDER, SLICER, folders_for_edits
from bratsseg.study.layout.roles import NIFTI_SUFFIXES

REPORT = "conversion.json"
"""What a conversion leaves in OUT: what was asked, done and refused, and the hash of each file written."""
_DRAWN = (*NIFTI_SUFFIXES, SLICER[0])
_NOT_DRAWN = ("_probseg.", "_prob_")


def written_before(out: Path) -> dict[str, str]:
    """SHA-256 of each file that earlier conversions wrote below ``out``, by path with '/', as far as they say so."""
    known = _read(out / REPORT).get("written")
    written = {str(path): str(digest) for path, digest in known.items()} if isinstance(known, dict) else {}
    for sidecar in (out / BIDS_FOLDER).glob("sub-*/**/*_dseg.json"):
        if digest := _read(sidecar).get("Sha256"):
            image = sidecar.with_suffix("").with_suffix(".nii.gz")
            written[image.relative_to(out).as_posix()] = str(digest)
    return written


def changed_since(out: Path, files: Mapping[str, bytes], written: Mapping[str, str]) -> set[str]:
    """Those of ``files`` whose place below ``out`` holds a label map that nobody wrote there but a person.

    That is one which is neither what is about to be written nor what ``written`` says was.
    """
    found = set()
    for name, content in files.items():
        path = out / name
        if not name.endswith(_DRAWN) or any(word in name for word in _NOT_DRAWN) or not path.is_file():
            continue
        now = digest(path.read_bytes())
        if now not in (digest(content), written.get(name)):
            found.add(name)
    return found


def set_aside(out: Path, names: Collection[str]) -> None:
    """Copy files below ``out`` to ``edited-<date>/`` beside each, before others take their places; ``WriteError``."""
    for path in (out / name for name in names):
        places = (path.parent / folder for folder in folders_for_edits())
        write_files(next(place for place in places if not (place / path.name).exists()), {path.name: path.read_bytes()})


def _read(path: Path) -> dict[str, object]:
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return values if isinstance(values, dict) else {}
