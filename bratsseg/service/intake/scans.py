"""Scans of an upload: each by itself, then together as a study."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path

from isal import igzip

from bratsseg.errors import CaseError
from bratsseg.files import GZIP_MAGIC
from bratsseg.service.intake.findings import Finding, finding_of
from bratsseg.service.refusal import Refusal, of_error
from bratsseg.service.settings import MIB, Limits
from bratsseg.study.brain import BY_MASK, find_brain, no_brain, refuse_by_signs
from bratsseg.study.case import Case, VolumeSource, raise_fatal
from bratsseg.study.checks import EMPTY_MASK, inspect, inspect_grids
from bratsseg.study.layout.filename import FileName, read_names
from bratsseg.study.layout.roles import FileRole
from bratsseg.study.modality import Modality
from bratsseg.study.reading import Content, Header, read_header, read_study, read_volume
from bratsseg.study.stack import FileState
from bratsseg.study.volume import Study, Volume

MASK, IGNORE = "mask", "ignore"
ROLES = (*map(str, Modality), MASK, IGNORE)
AT_ONCE = threading.Semaphore(2)
"""Held while whole volumes are in memory: by a check, and by a correction."""
_CHUNK = 1 << 20
_AFTER = 1 << 20  # what a NIfTI file may hold after its voxels


def propose_roles(names: list[str]) -> list[tuple[str, list[str]]]:
    """For each name the role it claims ("" when it does not decide) and every modality that it may be."""
    return [(_role(named), sorted(map(str, named.claims))) for named in read_names([Path(name) for name in names])]


def refuse_large_file(path: Path, name: str, limits: Limits) -> None:
    """Refuse a file that nobody needs to read to know that its volume is too large; a ``Refusal`` (413)."""
    if path.stat().st_size > limits.volume + _AFTER:
        raise _too_much(name, path.stat().st_size, limits.volume)


def refuse_large_study(findings: Iterable[Finding], limits: Limits) -> None:
    """Refuse scans that are too many voxels together; a ``Refusal`` (413) ``study_too_large``."""
    together = sum(prod(finding.shape) for finding in findings)
    if together > limits.study_voxels:
        most = f"the scans of a study may have at most {limits.study_voxels:,} voxels together"
        text = f"{most}, these have {together:,} or more; crop them to the head, or resample them to 1 mm"
        raise Refusal(413, "study_too_large", text)


def check_scan(content: Content, state: FileState, name: str, limits: Limits, *, is_scan: bool) -> Finding:
    """Check one NIfTI file to its last byte; ``is_scan`` is False for masks, which have few values.

    Raises a ``Refusal``: 413 when it has too many voxels, 422 when it is damaged, 4-D, not numbers, constant, or a
    label map.
    """
    try:
        volume = read_bounded(content, name, limits.voxels, limits.volume)
        if is_scan:
            raise_fatal(name, inspect(Study(name, {Modality.FLAIR: volume})))
        return finding_of(volume, state, is_scan=is_scan)
    except CaseError as error:
        raise of_error(error, {f"case {name}: FLAIR: ": f"{name}: ", content.path.name: name}) from error


def read_bounded(content: Content, name: str, most: int, most_bytes: int) -> Volume:
    """Read one NIfTI file of one volume, at most so many voxels and bytes, after a look at how large it really is.

    Raises a ``Refusal`` (413, 422) for more than that, a ``CaseError`` when it is damaged.
    """
    source = VolumeSource(content.path)
    header = read_header(source, name, content=content)
    if header.volumes > 1:
        text = f"{name}: must be one 3-D volume, has {header.volumes}; save the volumes as files of their own"
        raise Refusal(422, "content_invalid", text)
    _refuse_too_large(content, name, header, most, most_bytes)
    return read_volume(source, name, content=content)


def check_study(
    name: str, sources: Mapping[str, Path], names: Mapping[str, str], findings: Mapping[str, Finding]
) -> None:
    """Check scans together: ``sources`` by role, ``names`` what the user calls them, ``findings`` what is known.

    Scans that were checked as what they are now, and have not changed since, are not read again. Raises a ``Refusal``
    (422): grids that differ, skull on, no brain, a file that became unreadable.
    """
    try:
        if all(_is_known(role, path, findings.get(role)) for role, path in sources.items()):
            _check_findings(name, findings)
        else:
            _read_together(name, sources)
    except CaseError as error:
        theirs = {path.name: names[role] for role, path in sources.items()}
        raise of_error(error, {f"case {name}: ": "", **theirs}) from error


def _is_known(role: str, path: Path, finding: Finding | None) -> bool:
    """True when a file was checked as what its role says and is unchanged."""
    return finding is not None and (finding.sign is None) == (role == MASK) and finding.holds_for(path)


def _check_findings(name: str, findings: Mapping[str, Finding]) -> None:
    labels = {role: "brain mask" if role == MASK else Modality(role).label for role in findings}
    ordered = [role for role in ROLES if role in findings]
    problems = [EMPTY_MASK for finding in findings.values() if finding.empty]
    raise_fatal(name, [*problems, *inspect_grids({labels[role]: findings[role].grid for role in ordered})])
    if MASK not in findings:
        signs = {labels[role]: sign for role in ordered if (sign := findings[role].sign) is not None}
        refuse_by_signs(name, signs)
    elif not findings[MASK].marks:
        raise no_brain(name, BY_MASK)


def _read_together(name: str, sources: Mapping[str, Path]) -> None:
    scans = {Modality(role): VolumeSource(path) for role, path in sources.items() if role != MASK}
    with AT_ONCE:
        study = read_study(Case(name, scans, mask=sources.get(MASK)))
        raise_fatal(name, inspect(study))
        find_brain(study)


def _role(named: FileName) -> str:
    if named.role is FileRole.MASK:
        return MASK
    if named.role is not None:
        return IGNORE
    return str(next(iter(named.claims))) if len(named.claims) == 1 else ""


def _refuse_too_large(content: Content, name: str, header: Header, most: int, most_bytes: int) -> None:
    """Refuse by the header, then by what really comes out of a gzip stream, before anybody reads it to its end."""
    count = prod(header.grid.shape)
    if count > most:
        raise Refusal(413, "too_large", f"{name}: may have at most {most:,} voxels, has {count:,}")
    if count * header.dtype.itemsize > most_bytes:
        raise _too_much(name, count * header.dtype.itemsize, most_bytes)
    if _unpacks_to_more(content, count * header.dtype.itemsize + _AFTER):
        raise Refusal(422, "zip_bomb", f"{name}: unpacks to more than its header promises; write the file again")


def _too_much(name: str, found: int, most: int) -> Refusal:
    text = f"{name}: may have at most {most / MIB:,.0f} MiB of voxels, has {found / MIB:,.0f}"
    return Refusal(413, "too_large", f"{text}; save it with 16 or 32 bits a voxel, or crop it to the head")


def _unpacks_to_more(content: Content, most: int) -> bool:
    with content.open() as raw:
        if raw.read(2) != GZIP_MAGIC:
            return False
        raw.seek(0)
        try:
            with igzip.open(raw, "rb") as stream:
                while most >= 0 and (chunk := stream.read(_CHUNK)):
                    most -= len(chunk)
        except (EOFError, OSError, igzip.isal_zlib.error):
            return False  # the reader says better what is wrong
    return most < 0
