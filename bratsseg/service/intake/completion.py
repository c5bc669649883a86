"""All pieces are here: what is it? Files by content, a zip unpacked, each scan checked, roles proposed."""

from __future__ import annotations

import shutil
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import update

from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.audit import record_action
from bratsseg.service.context import Context
from bratsseg.service.intake.archive import unpack
from bratsseg.service.intake.findings import Finding
from bratsseg.service.intake.pictures import check_picture
from bratsseg.service.intake.pieces import close_upload, find_upload, one_at_a_time, upload_folder
from bratsseg.service.intake.scans import (
    AT_ONCE,
    IGNORE,
    MASK,
    check_scan,
    propose_roles,
    refuse_large_file,
    refuse_large_study,
)
from bratsseg.service.intake.sniffing import UploadKind, promised, sniff
from bratsseg.service.records import Upload
from bratsseg.service.refusal import Refusal
from bratsseg.service.settings import Limits
from bratsseg.study.reading import Content, read_content

_ZIP_ROOM = "unzipped"
_CHUNK = 1 << 20


def complete_upload(context: Context, visitor: Visitor, upload_id: str) -> Upload:
    """Check the files of an upload and propose what each of them is; the user confirms it.

    ``Upload.found`` is then ``{kind: scan|picture, files: [{id, name, path, role, candidates, finding}]}``, without a
    ``finding`` (see ``findings``) for a picture. A ``Refusal`` of what was sent (413, 415, 422) closes the upload and
    removes its files. A second request waits for the first, and one after a crash begins anew.
    """
    with one_at_a_time(upload_id):
        return _complete(context, visitor, upload_id)


def _complete(context: Context, visitor: Visitor, upload_id: str) -> Upload:
    upload = find_upload(context, visitor, upload_id)
    if upload.status != "open":
        return upload
    missing = [file.name for file in upload.files if file.received < file.size]
    if missing:
        raise Refusal(409, "upload_incomplete", f"{missing[0]}: not all of it was received yet; send the rest")
    try:
        found = _examine(context, upload)
    except Refusal as refusal:
        close_upload(context, visitor, upload.id, "refused", refusal.code)
        raise
    with context.store.writing() as session:
        row = update(Upload).where(Upload.id == upload.id, Upload.status == "open")
        session.execute(row.values(status="checked", found=found))
        record_action(session, visitor, "upload.checked", upload.id, kind=found["kind"])
    return find_upload(context, visitor, upload_id)


@dataclass(frozen=True)
class _Sent:
    """A file at hand, its name, and the CRC-32 that was announced, if one was."""

    path: Path
    name: str
    crc32: int | None = None


def _examine(context: Context, upload: Upload) -> dict[str, Any]:
    folder, limits = upload_folder(context, upload.id), context.settings.limits
    files = [_Sent(folder / file.id, file.name, file.crc32) for file in upload.files]
    for file in files:  # one of no bytes has had no piece
        folder.mkdir(exist_ok=True, mode=0o700)
        file.path.touch()
    if any(promised(file.name) is UploadKind.ZIP for file in files):
        if len(files) > 1:
            raise Refusal(422, "upload_mixed", "an upload must be one zip or plain files, was both")
        files = _unzipped(files[0], folder / _ZIP_ROOM, limits)
    if any(promised(file.name).is_picture for file in files):
        return _picture(files, folder)
    proposed = propose_roles([file.name for file in files])
    entries, findings = [], []
    for number, (file, (role, candidates)) in enumerate(zip(files, proposed, strict=True)):
        finding = _checked(file, limits, is_scan=role not in (MASK, IGNORE))
        findings.append(finding)
        refuse_large_study(findings, limits)
        told = {"role": role, "candidates": candidates, "finding": finding.model_dump(mode="json")}
        entries.append(_entry(number, file, folder) | told)
    return {"kind": "scan", "files": entries}


def _unzipped(file: _Sent, into: Path, limits: Limits) -> list[_Sent]:
    """The files of a zip, which is too large to be kept in memory and read for each of its checks."""
    content = Content(file.path)
    _refuse_other(content, file)
    sniff(content, file.name)
    shutil.rmtree(into, ignore_errors=True)  # what a killed request had unpacked
    return [_Sent(path, name) for path, name in unpack(file.path, file.name, into, limits)]


def _checked(file: _Sent, limits: Limits, *, is_scan: bool) -> Finding:
    """All checks of one scan, for which it is read from the disk once."""
    refuse_large_file(file.path, file.name, limits)
    with AT_ONCE:
        content, state = read_content(file.path)
        _refuse_other(content, file)
        sniff(content, file.name)
        return check_scan(content, state, file.name, limits, is_scan=is_scan)


def _refuse_other(content: Content, file: _Sent) -> None:
    """A ``Refusal`` when the file is not the one that was announced, such as one begun with a scan of somebody else."""
    if file.crc32 is None:
        return
    found = 0
    with content.open() as stream:
        while chunk := stream.read(_CHUNK):
            found = zlib.crc32(chunk, found)
    if found != file.crc32:
        text = f"{file.name}: must have the CRC-32 {file.crc32:08x} that was announced, was {found:08x}; send it anew"
        raise Refusal(422, "content_differs", text)


def _picture(files: list[_Sent], folder: Path) -> dict[str, Any]:
    if len(files) > 1:
        raise Refusal(422, "upload_mixed", "an upload must be one picture or the scans of one study, was more")
    (file,) = files
    with AT_ONCE:
        content, _ = read_content(file.path)
        _refuse_other(content, file)
        sniff(content, file.name)
        check_picture(content, file.name)
    return {"kind": "picture", "files": [_entry(0, file, folder) | {"role": "picture", "candidates": []}]}


def _entry(number: int, file: _Sent, folder: Path) -> dict[str, Any]:
    return {"id": str(number), "name": file.name, "path": file.path.relative_to(folder).as_posix()}
