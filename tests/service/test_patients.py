"""The register: what is typed comes back as text, whatever it looks like; nothing is deleted."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import func, select

from bratsseg.service.accounts.roles import Role
from bratsseg.service.housekeeping import sweep
from bratsseg.service.patients import PatientFields
from bratsseg.service.records import Patient
from tests.service.conftest import accept

ATTACK = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*'z' }}"
TEXTS = [name for name in PatientFields.model_fields if name not in ("birth_date", "sex")]


@pytest.fixture
def keeper(site):
    return site.client(Role.DATA_MANAGER)


def add(keeper, number: str, name: str, **more: str) -> str:
    answer = keeper.post("/api/v1/patients", json={"number": number, "name": name, **more})
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def test_a_patient_is_added_changed_archived_and_restored(site, keeper):
    patient = add(keeper, "7", "Meyer, Anna", birth_date="1960-02-03", sex="female", history="Headache")
    changed = keeper.patch(f"/api/v1/patients/{patient}", json={"symptoms": "Seizure"}).json()
    assert (changed["history"], changed["symptoms"]) == ("Headache", "Seizure")
    assert keeper.post(f"/api/v1/patients/{patient}/archive").json()["archived"]
    assert keeper.get("/api/v1/patients").json()["total"] == 0
    assert keeper.get("/api/v1/patients", params={"archived": True}).json()["total"] == 1
    keeper.post(f"/api/v1/patients/{patient}/restore")
    assert keeper.get("/api/v1/patients").json()["total"] == 1
    with site.context.store.reading() as session:
        assert session.scalar(select(func.count()).select_from(Patient)) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("number", ""),
        ("name", "  "),
        ("name", "a" * 201),
        ("name", "two\nlines"),
        ("notes", "a \x00 or \x1b[2J"),
        ("birth_date", "2999-01-01"),
        ("birth_date", "yesterday"),
        ("sex", "x"),
        ("diagnosis", "glioma"),
    ],
)
def test_what_cannot_be_is_refused(keeper, field, value):
    answer = keeper.post("/api/v1/patients", json={"number": "1", "name": "A", field: value})
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid"


def test_a_number_belongs_to_one_patient(keeper):
    first, other = add(keeper, "1", "A"), add(keeper, "2", "B")
    again = keeper.post("/api/v1/patients", json={"number": "1", "name": "C"})
    assert (again.status_code, again.json()["existing"]) == (409, first)
    assert keeper.patch(f"/api/v1/patients/{other}", json={"number": "1"}).status_code == 409


def test_search_finds_parts_and_takes_every_sign_as_it_is(keeper):
    names = ["Meyer, Anna", "O'Hara, Bo", "100% Sure", "Under_score", 'Quote"d', "Ärzte, Öl"]
    for number, name in enumerate(names):
        add(keeper, f"N{number}", name)

    def found(text: str) -> list[str]:
        answer = keeper.get("/api/v1/patients", params={"search": text})
        assert answer.status_code == 200
        return [patient["name"] for patient in answer.json()["items"]]

    assert found("meyer") == ["Meyer, Anna"]
    assert found("N1") == ["O'Hara, Bo"]
    assert found("%") == ["100% Sure"]
    assert found("_") == ["Under_score"]
    assert found("'") == ["O'Hara, Bo"]
    for attack in ("' OR 1=1 --", "'; DROP TABLE patients; --", '" OR ""="', "\\"):
        assert found(attack) == []
    assert keeper.get("/api/v1/patients", params={"search": "\x00"}).status_code == 422
    assert len(found("")) == len(names)


def test_the_register_comes_in_pages(keeper):
    for number in range(7):
        add(keeper, str(number), f"Patient {number}")
    pages = [keeper.get("/api/v1/patients", params={"page": at, "per_page": 3}).json() for at in (1, 2, 3, 4)]
    assert [len(page["items"]) for page in pages] == [3, 3, 1, 0]
    assert {page["pages"] for page in pages} == {3}
    assert keeper.get("/api/v1/patients", params={"per_page": 1000}).status_code == 422
    assert keeper.get("/patients", params={"page": 0}).status_code == 422


def test_no_text_of_a_patient_becomes_markup(keeper):
    patient = add(keeper, **{name: ATTACK for name in TEXTS if name != "number"}, number=ATTACK[:64])
    for path in ("/patients", f"/patients/{patient}", f"/patients/{patient}/edit", "/patients?search=<script>"):
        page = keeper.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert "zzzzzzz" not in page  # no template runs in what was typed
    wrong = keeper.post("/patients/new", data={"number": "", "name": ATTACK})
    assert wrong.status_code == 422
    assert "<script>alert" not in wrong.text


def test_a_form_that_is_refused_keeps_what_was_typed(keeper):
    wrong = keeper.post("/patients/new", data={"number": "", "name": "Meyer, Anna", "history": "Headache"})
    assert wrong.status_code == 422
    assert 'value="Meyer, Anna"' in wrong.text
    assert "Headache" in wrong.text
    assert 'aria-invalid="true"' in wrong.text


def test_a_photo_is_written_anew_with_its_pixels_alone(site, keeper):
    patient = add(keeper, "1", "A")
    out = io.BytesIO()
    exif = Image.Exif()
    exif[0x010E] = "home address"
    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(out, "JPEG", exif=exif)
    content = out.getvalue() + b"<script>alert(1)</script>"
    assert keeper.put(f"/api/v1/patients/{patient}/photo", content=content).status_code == 201
    shown = keeper.get(f"/patients/{patient}/photo")
    assert shown.headers["content-type"] == "image/jpeg"
    assert b"home address" not in shown.content
    assert b"<script>" not in shown.content
    assert keeper.put(f"/api/v1/patients/{patient}/photo", content=b"<svg/>").json()["code"] == "unreadable"
    assert [path.suffix for path in site.settings.photos.iterdir()] == [".jpg"]


def test_a_photo_with_damaged_exif_is_refused(keeper):
    patient = add(keeper, "1", "A")
    out, exif = io.BytesIO(), Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "text"
    Image.new("RGB", (8, 8)).save(out, "JPEG", exif=exif)
    content = out.getvalue().replace(b"\x01\x0e\x00\x02", b"\x01\x00\x00\x02")  # a width that is a text
    answer = keeper.put(f"/api/v1/patients/{patient}/photo", content=content)
    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable")


def test_a_photo_or_drawing_of_a_killed_request_is_removed(site, keeper):
    patient = add(keeper, "1", "A")
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG")
    assert keeper.put(f"/api/v1/patients/{patient}/photo", content=out.getvalue()).status_code == 201
    for name in ("0000000000000000.part", "0000000000000000.jpg"):
        (site.settings.photos / name).write_bytes(b"left")
    (site.settings.corrections / "0000000000000000").mkdir()
    sweep(site.context)
    assert len(list(site.settings.photos.iterdir())) == 1
    assert keeper.get(f"/patients/{patient}/photo").status_code == 200
    assert not list(site.settings.corrections.iterdir())


def test_the_audit_tells_from_whom_a_study_was_taken(site, radiologist, scans):
    first, other = add(radiologist, "1", "A"), add(radiologist, "2", "B")
    study = accept(radiologist, scans(), patient_id=first).json()["study_id"]
    assert radiologist.patch(f"/api/v1/studies/{study}", json={"patient_id": other}).status_code == 200
    changed = site.client(Role.ADMINISTRATOR).get("/api/v1/audit", params={"action": "study.change"}).json()["items"][0]
    assert (changed["details"]["before"], changed["details"]["patient"]) == (first, other)
