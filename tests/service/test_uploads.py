"""What may be sent, and how each thing that may not is refused."""

from __future__ import annotations

import contextlib
import gzip
import io
import shutil
import stat
import threading
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from bratsseg.service.accounts.roles import Role
from bratsseg.service.intake import acceptance, pieces
from tests.service.conftest import Site, accept, send, token


def nifti(voxels: np.ndarray, affine: np.ndarray | None = None) -> bytes:
    image = nib.Nifti1Image(voxels, np.diag([6.0, 6.0, 6.0, 1.0]) if affine is None else affine)
    image.set_qform(image.affine, code=1)
    image.set_sform(image.affine, code=1)
    return gzip.compress(image.to_bytes(), 1)


def zipped(members: dict[str, bytes], **how: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = how.get("mode", stat.S_IFREG | 0o644) << 16
            info.compress_type = how.get("packing", zipfile.ZIP_DEFLATED)
            opened.writestr(info, content)
    return out.getvalue()


def picture(kind: str = "PNG", even: bool = False) -> bytes:
    out = io.BytesIO()
    pixels = np.full((32, 32), 7, np.uint8) if even else np.arange(1024, dtype=np.uint32).reshape(32, 32).astype("u1")
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def head() -> np.ndarray:
    """A round head in noise: nobody took its skull off."""
    rng = np.random.default_rng(0)
    grid = np.indices((32, 32, 28)) - np.array([16, 16, 14])[:, None, None, None]
    distance = np.sqrt((grid**2).sum(axis=0))
    return (np.where(distance < 12, 300, 0) + rng.integers(1, 40, distance.shape)).astype(np.int16)


@pytest.fixture(scope="module")
def brain(scans):
    return scans(0)["case-t2f.nii.gz"]


def voxels_of(content: bytes) -> np.ndarray:
    return np.asarray(nib.Nifti1Image.from_bytes(gzip.decompress(content)).dataobj).copy()


def test_files_become_a_study_with_a_job(radiologist, scans):
    answer = accept(radiologist, scans())
    assert answer.status_code == 201, answer.text
    study = radiologist.get(f"/api/v1/studies/{answer.json()['study_id']}").json()
    assert {file["role"] for file in study["files"]} == {"flair", "t1n", "t1c", "t2w"}
    assert [job["status"] for job in study["jobs"]] == ["queued"]


def test_a_zip_with_folders_and_noise_is_a_study(radiologist, scans):
    members = {f"anna/{name}": content for name, content in scans().items()}
    answer = accept(radiologist, {"study.zip": zipped({**members, "__MACOSX/._x.nii.gz": b"x", "anna/.DS_Store": b""})})
    assert answer.status_code == 201, answer.text


def test_a_plain_nifti_is_kept_gzipped(site, radiologist, brain):
    study = accept(radiologist, {"flair.nii": gzip.decompress(brain)}).json()["study_id"]
    kept = site.settings.studies / study / "flair.nii.gz"
    assert gzip.decompress(kept.read_bytes()) == gzip.decompress(brain)


@pytest.mark.parametrize(
    ("name", "make", "status", "code"),
    [
        ("flair.nii.gz", lambda brain: brain[: len(brain) // 2], 422, "unreadable"),
        ("flair.nii.gz", lambda brain: b"", 422, "unreadable"),
        ("flair.nii.gz", lambda brain: brain[:-40] + bytes(32) + brain[-8:], 422, "unreadable"),
        ("flair.nii.gz", lambda brain: nifti(np.stack([voxels_of(brain)] * 2, -1)), 422, "content_invalid"),
        ("flair.nii.gz", lambda brain: nifti(np.full((30, 30, 30), np.nan, "f4")), 422, "content_invalid"),
        ("flair.nii.gz", lambda brain: nifti(np.full((30, 30, 30), 5, "i2")), 422, "content_invalid"),
        ("flair.nii.gz", lambda brain: gzip.compress(gzip.decompress(brain) + bytes(3 << 20)), 422, "zip_bomb"),
        ("flair.nii.gz", lambda brain: picture(), 415, "content_mismatch"),
        ("flair.nii", lambda brain: zipped({"flair.nii.gz": brain}), 415, "content_mismatch"),
        ("a.png", lambda brain: brain, 415, "content_mismatch"),
        ("a.png", lambda brain: picture("JPEG"), 415, "content_mismatch"),
        ("a.png", lambda brain: picture()[:60], 422, "unreadable"),
        ("a.png", lambda brain: picture(even=True), 422, "content_invalid"),
        ("s.zip", lambda brain: zipped({"../../flair.nii.gz": brain}), 422, "zip_slip"),
        ("s.zip", lambda brain: zipped({"/etc/flair.nii.gz": brain}), 422, "zip_slip"),
        ("s.zip", lambda brain: zipped({"a\\..\\flair.nii.gz": brain}), 422, "zip_slip"),
        ("s.zip", lambda brain: zipped({"flair.nii.gz": b"/etc/passwd"}, mode=stat.S_IFLNK), 422, "zip_link"),
        ("s.zip", lambda brain: zipped({"flair.nii": bytes(9 << 20)}), 422, "zip_bomb"),
        ("s.zip", lambda brain: zipped({f"{n}.nii": b"x" for n in range(9)}), 413, "too_many_files"),
        ("s.zip", lambda brain: zipped({"virus.exe": b"MZ"}), 415, "type_unknown"),
        ("s.zip", lambda brain: zipped({"inner.zip": zipped({})}), 415, "type_unknown"),
        ("s.zip", lambda brain: zipped({"flair.nii.gz": brain})[:-30], 422, "unreadable"),
        ("s.zip", lambda brain: zipped({"flair.nii.gz": brain}, packing=zipfile.ZIP_LZMA), 422, "unreadable"),
        ("s.zip", lambda brain: zipped({"ä.nii.gz": brain}).replace("ä".encode(), b"\xff\xff"), 422, "unreadable"),
        ("s.zip", lambda brain: zipped({f"__MACOSX/{n:040}": b"" for n in range(12_000)}), 413, "too_many_files"),
    ],
    ids=lambda value: value if isinstance(value, str | int) else "",
)
def test_what_cannot_be_a_study_is_refused_by_name(site, radiologist, brain, name, make, status, code):
    upload = send(radiologist, {name: make(brain)})
    answer = radiologist.post(f"/api/v1/uploads/{upload['id']}/complete")
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert name in answer.json()["message"] or name == "s.zip"
    assert str(site.settings.data) not in answer.text
    assert not (site.settings.uploads / upload["id"]).exists()
    assert radiologist.get(f"/api/v1/uploads/{upload['id']}").json()["status"] == "refused"


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"case-t1n.nii.gz": "case-t1n.nii.gz"}, "modality_missing"),
        ({"a-flair.nii.gz": "case-t2f.nii.gz", "b-flair.nii.gz": "case-t2w.nii.gz"}, "modality_ambiguous"),
        ({"scan.nii.gz": "case-t2f.nii.gz"}, "modality_ambiguous"),
    ],
)
def test_roles_that_are_missing_or_unclear_are_asked_for(radiologist, scans, files, code):
    answer = accept(radiologist, {name: scans()[which] for name, which in files.items()})
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text


def test_a_confirmed_role_settles_what_a_name_leaves_open(radiologist, brain):
    assert accept(radiologist, {"scan.nii.gz": brain}, roles={"0": "flair"}).status_code == 201


def test_grids_that_differ_and_heads_are_refused(radiologist, scans, brain):
    other = scans(0, np.diag([5.0, 6.0, 6.0, 1.0]))["case-t1c.nii.gz"]
    answer = accept(radiologist, {"flair.nii.gz": brain, "t1ce.nii.gz": other})
    assert (answer.status_code, answer.json()["code"]) == (422, "grids_differ"), answer.text
    answer = accept(radiologist, {"flair.nii.gz": nifti(head())})
    assert (answer.status_code, answer.json()["code"]) == (422, "skull_on"), answer.text


def test_the_same_scans_again_lead_to_the_study_that_is_there(radiologist, scans):
    first = accept(radiologist, scans()).json()["study_id"]
    again = accept(radiologist, scans())
    assert (again.status_code, again.json()["code"], again.json()["existing"]) == (409, "study_exists", first)
    assert radiologist.get("/api/v1/studies").json()["total"] == 1


def test_the_same_scans_packed_anew_are_the_same_study(radiologist, scans):
    first = accept(radiologist, scans()).json()["study_id"]
    anew = {name: gzip.compress(gzip.decompress(content), 9) for name, content in scans().items()}
    assert anew != scans()
    again = accept(radiologist, anew)
    assert (again.status_code, again.json()["existing"]) == (409, first)
    plain = accept(radiologist, {name.removesuffix(".gz"): gzip.decompress(scans()[name]) for name in scans()})
    assert (plain.status_code, plain.json()["existing"]) == (409, first)


def test_a_picture_needs_a_picture_model(site, radiologist):
    from sqlalchemy import delete

    from bratsseg.service.records import InstalledModel

    with site.context.store.writing() as session:
        session.execute(delete(InstalledModel).where(InstalledModel.kind == "picture"))
    upload = send(radiologist, {"scan.png": picture()})
    found = radiologist.post(f"/api/v1/uploads/{upload['id']}/complete").json()["found"]
    assert found["kind"] == "picture"
    assert "no picture model" in radiologist.get(f"/uploads/{upload['id']}").text
    answer = radiologist.post(f"/api/v1/uploads/{upload['id']}/accept", json={})
    assert (answer.status_code, answer.json()["code"]) == (503, "model_not_loaded")
    assert "train" in answer.json()["message"]


def test_before_the_worker_is_up_no_model_is_loaded(site, radiologist, scans):
    from sqlalchemy import delete

    from bratsseg.service.records import InstalledModel

    with site.context.store.writing() as session:
        session.execute(delete(InstalledModel))
    answer = accept(radiologist, scans())
    assert (answer.status_code, answer.json()["code"]) == (503, "model_not_loaded")
    assert site.guest().get("/readyz").status_code == 503


def test_too_large_or_too_many_are_refused_before_any_byte(site, radiologist):
    limits = site.settings.limits

    def announce(*files: tuple[str, int]):
        return radiologist.post("/api/v1/uploads", json={"files": [{"name": n, "size": s} for n, s in files]})

    for answer in (
        announce(("a.nii.gz", limits.file + 1)),
        announce(*[(f"{n}.nii.gz", limits.file) for n in range(3)]),
        announce(*[(f"{n}.nii.gz", 1) for n in range(limits.files + 1)]),
    ):
        assert answer.status_code == 413
    assert announce(("a.exe", 1)).status_code == 415
    assert announce().status_code == 422


def test_a_piece_may_not_be_too_large_misplaced_or_too_much(site, radiologist):
    begun = radiologist.post("/api/v1/uploads", json={"files": [{"name": "a.nii.gz", "size": 10}]}).json()
    address = f"/api/v1/uploads/{begun['id']}/files/{begun['files'][0]['id']}"

    def piece(offset: int, content: bytes):
        return radiologist.patch(address, headers={"Upload-Offset": str(offset)}, content=content)

    assert piece(0, bytes(site.settings.limits.piece + 1)).json()["code"] == "too_large"
    assert piece(0, b"12345").json() == {"received": 5}
    assert piece(0, b"12345").json() | {"message": ""} == {"code": "offset_differs", "message": "", "received": 5}
    assert piece(5, b"123456").status_code == 413
    assert radiologist.post(f"/api/v1/uploads/{begun['id']}/complete").json()["code"] == "upload_incomplete"
    assert piece(5, b"67890").json() == {"received": 10}
    assert (site.settings.uploads / begun["id"] / begun["files"][0]["id"]).read_bytes() == b"1234567890"


def test_a_name_with_folders_stays_in_its_own(site, radiologist, brain):
    upload = send(radiologist, {"../../../etc/flair.nii.gz": brain})
    assert upload["files"][0]["name"] == "flair.nii.gz"
    written = {path.name for path in (site.settings.uploads / upload["id"]).iterdir()}
    assert written == {upload["files"][0]["id"]}


def test_an_upload_belongs_to_who_began_it(site, radiologist, brain):
    upload = send(radiologist, {"flair.nii.gz": brain})
    other = site.client(Role.RADIOLOGIST, Role.VIEWER)
    assert other.get(f"/api/v1/uploads/{upload['id']}").status_code == 404
    assert other.post(f"/api/v1/uploads/{upload['id']}/complete").status_code == 404


def test_an_upload_works_by_forms_alone(site: Site, radiologist, scans):
    csrf = radiologist.headers.pop("X-CSRF-Token")
    files = [("files", (name, content)) for name, content in scans().items()]
    sent = radiologist.post("/upload", data={"csrf_token": csrf}, files=files)
    assert sent.status_code == 303, sent.text
    page = radiologist.get(sent.headers["location"])
    assert "FLAIR" in page.text
    confirmed = {"csrf_token": token(page.text), "day_unknown": "on"}
    accepted = radiologist.post(sent.headers["location"] + "/accept", data=confirmed)
    assert accepted.status_code == 303
    assert "queued" in radiologist.get(accepted.headers["location"]).text
    again = radiologist.post("/upload", data={"csrf_token": csrf}, files=files[:1] * 2)
    assert again.status_code == 303
    refused = radiologist.post(again.headers["location"] + "/accept", data={"csrf_token": csrf, "day_unknown": "on"})
    assert refused.status_code == 422
    assert "modality_ambiguous" in refused.text


def test_a_zip_whose_completion_was_killed_is_completed_again(site, radiologist, brain):
    upload = send(radiologist, {"s.zip": zipped({"flair.nii.gz": brain})})
    torn = site.settings.uploads / upload["id"] / "unzipped"
    torn.mkdir()
    (torn / "0").write_bytes(b"half")
    assert radiologist.post(f"/api/v1/uploads/{upload['id']}/complete").status_code == 200


def test_a_double_click_on_the_last_button_is_one_study(radiologist, scans, monkeypatch):
    upload = send(radiologist, scans())
    radiologist.post(f"/api/v1/uploads/{upload['id']}/complete")
    both, require = threading.Barrier(2), acceptance.require_model

    def together(*given, **named):
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.5)
        return require(*given, **named)

    monkeypatch.setattr(acceptance, "require_model", together)
    with ThreadPoolExecutor(2) as pool:
        answers = list(
            pool.map(lambda _: radiologist.post(f"/api/v1/uploads/{upload['id']}/accept", json={}), range(2))
        )
    assert [answer.status_code for answer in answers] == [201, 201], [answer.text for answer in answers]
    assert answers[0].json() == answers[1].json()


def test_strange_entries_of_a_zip_are_passed_over(radiologist, brain):
    assert accept(radiologist, {"s.zip": zipped({".": b"", "flair.nii.gz": brain})}).status_code == 201


def test_a_file_that_is_not_the_one_announced_is_refused(radiologist, brain):
    announced = {"name": "flair.nii.gz", "size": len(brain), "crc32": zlib.crc32(brain)}
    for content, status in ((brain[::-1], 422), (brain, 200)):
        begun = radiologist.post("/api/v1/uploads", json={"files": [announced]}).json()
        path = f"/api/v1/uploads/{begun['id']}"
        radiologist.patch(f"{path}/files/{begun['files'][0]['id']}", headers={"Upload-Offset": "0"}, content=content)
        answer = radiologist.post(f"{path}/complete")
        assert answer.status_code == status
        if status == 422:
            assert answer.json()["code"] == "content_differs"


def test_a_full_disk_is_told_before_a_piece_is_written(site, radiologist, monkeypatch):
    begun = radiologist.post("/api/v1/uploads", json={"files": [{"name": "a.nii.gz", "size": 10}]}).json()
    monkeypatch.setattr(pieces.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(1, 1, 5))
    address = f"/api/v1/uploads/{begun['id']}/files/{begun['files'][0]['id']}"
    answer = radiologist.patch(address, headers={"Upload-Offset": "0"}, content=b"12345")
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")


def test_an_upload_that_ended_is_not_ended_again(site, radiologist, scans):
    upload = send(radiologist, scans())["id"]
    radiologist.post(f"/api/v1/uploads/{upload}/complete")
    assert radiologist.post(f"/api/v1/uploads/{upload}/accept", json={}).status_code == 201
    radiologist.delete(f"/api/v1/uploads/{upload}")
    acts = site.client(Role.ADMINISTRATOR).get("/api/v1/audit", params={"object_id": upload}).json()["items"]
    assert "upload.cancelled" not in {act["action"] for act in acts}
