"""All pieces are here: what is it? Files by content, a zip unpacked, each scan checked, roles proposed."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path
from typing import Any

from sqlalchemy import update

from bratsseg.service.accounts.visitor import Visitor
from bratsseg.service.audit import record_action
from bratsseg.service.context import Context
from bratsseg.service.intake.archive import unpack
from bratsseg.service.intake.pictures import check_picture
from bratsseg.service.intake.pieces import close_upload, find_upload, one_at_a_time, upload_folder
from bratsseg.service.intake.scans import IGNORE, MASK, check_scan, propose_roles
from bratsseg.service.intake.sniffing import UploadKind, sniff
from bratsseg.service.records import Upload, UploadedFile
from bratsseg.service.refusal import Refusal

_ZIP_ROOM = "unzipped"
_CHUNK = 1 << 20


def complete_upload(context: Context, visitor: Visitor, upload_id: str) -> Upload:
    """Check the files of an upload and propose what each of them is; the user confirms it.

    ``Upload.found`` is then ``{kind: scan|picture, files: [{id, name, path, role, candidates}]}``. A ``Refusal`` of
    what was sent (413, 415, 422) closes the upload and removes its files. A second request waits for the first, and
    one after a crash begins anew.
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


def _examine(context: Context, upload: Upload) -> dict[str, Any]:
    folder, limits = upload_folder(context, upload.id), context.settings.limits
    for file in upload.files:  # one of no bytes has had no piece
        folder.mkdir(exist_ok=True, mode=0o700)
        (folder / file.id).touch()
        _refuse_other(folder / file.id, file)
    files = [(folder / file.id, file.name) for file in upload.files]
    kinds = [sniff(path, name) for path, name in files]
    if UploadKind.ZIP in kinds:
        if len(files) > 1:
            raise Refusal(422, "upload_mixed", "an upload must be one zip or plain files, was both")
        shutil.rmtree(folder / _ZIP_ROOM, ignore_errors=True)  # what a killed request had unpacked
        files = unpack(files[0][0], files[0][1], folder / _ZIP_ROOM, limits)
        kinds = [sniff(path, name) for path, name in files]
    pictures = [kind.is_picture for kind in kinds]
    if any(pictures):
        return _picture(files, folder)
    proposed = propose_roles([name for _, name in files])
    for (path, name), (role, _) in zip(files, proposed, strict=True):
        check_scan(path, name, limits, is_scan=role not in (MASK, IGNORE))
    entries = [
        _entry(number, path, name, folder) | {"role": role, "candidates": candidates}
        for number, ((path, name), (role, candidates)) in enumerate(zip(files, proposed, strict=True))
    ]
    return {"kind": "scan", "files": entries}


def _refuse_other(path: Path, file: UploadedFile) -> None:
    """A ``Refusal`` when the file is not the one that was announced, such as one begun with a scan of somebody else."""
    if file.crc32 is None:
        return
    found = 0
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            found = zlib.crc32(chunk, found)
    if found != file.crc32:
        text = f"{file.name}: must have the CRC-32 {file.crc32:08x} that was announced, was {found:08x}; send it anew"
        raise Refusal(422, "content_differs", text)


def _picture(files: list[tuple[Path, str]], folder: Path) -> dict[str, Any]:
    if len(files) > 1:
        raise Refusal(422, "upload_mixed", "an upload must be one picture or the scans of one study, was more")
    path, name = files[0]
    check_picture(path, name)
    return {"kind": "picture", "files": [_entry(0, path, name, folder) | {"role": "picture", "candidates": []}]}


def _entry(number: int, path: Path, name: str, folder: Path) -> dict[str, Any]:
    return {"id": str(number), "name": name, "path": path.relative_to(folder).as_posix()}
