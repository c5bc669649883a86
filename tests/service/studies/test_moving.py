"""A study that was filed under the wrong patient or day is put right, by pages and programs; nothing is guessed."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from bratsseg.service.accounts.roles import Role
from tests.service.conftest import accept, finish, send, token


def add(client, number: str, name: str) -> str:
    answer = client.post("/api/v1/patients", json={"number": number, "name": name})
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


def segmented(site, client, files, **more: str) -> str:
    answer = accept(client, files, **more).json()
    finish(site, client, answer["job_id"])
    study: str = answer["study_id"]
    return study


def days(client, patient: str) -> list[str | None]:
    return [point["day"] for point in client.get(f"/api/v1/patients/{patient}/timeline").json()["points"]]


def changes(client, patient: str) -> list[float | None]:
    return [point["change_ml"]["WT"] for point in client.get(f"/api/v1/patients/{patient}/timeline").json()["points"]]


def test_after_a_move_both_timelines_are_right(site, radiologist, scans):
    right, wrong = add(radiologist, "1", "Meyer, Anna"), add(radiologist, "2", "Mayer, Ann")
    for number, (patient, day) in enumerate(((right, "2026-01-05"), (right, "2026-05-01"), (wrong, "2026-03-01"))):
        moved = segmented(site, radiologist, scans(number), patient_id=patient, taken_on=day)
    before = changes(radiologist, right)
    page = radiologist.get(f"/studies/{moved}/move", params={"search": "meyer"}).text
    assert "Meyer, Anna, 1" in page
    form = {"patient": right, "taken_on": "2026-03-01", "seen": token(page, "seen")}
    answer = radiologist.post(f"/studies/{moved}/move", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/patients/{right}")
    assert days(radiologist, right) == ["2026-01-05", "2026-03-01", "2026-05-01"]
    assert days(radiologist, wrong) == []
    after = changes(radiologist, right)
    assert after[0] is None
    assert after[1] + after[2] == pytest.approx(before[1], abs=1e-3)
    acts = site.client(Role.ADMINISTRATOR).get("/api/v1/audit", params={"object_id": moved}).json()["items"]
    (changed,) = [act["details"] for act in acts if act["action"] == "study.change"]
    assert (changed["before"], changed["patient"]) == (wrong, right)
    stale = radiologist.post(f"/studies/{moved}/move", data={**form, "patient": wrong})
    assert (stale.status_code, "study_moved" in stale.text) == (409, True)
    assert days(radiologist, wrong) == []


def test_a_data_manager_moves_a_study_without_seeing_images(site, radiologist, scans):
    keeper = site.client(Role.DATA_MANAGER)
    patient = add(keeper, "1", "Meyer, Anna")
    study = accept(radiologist, scans(), patient_id=patient).json()["study_id"]
    shown = keeper.get(f"/patients/{patient}").text
    assert f'href="/studies/{study}/move"' in shown
    seen = token(keeper.get(f"/studies/{study}/move").text, "seen")
    answer = keeper.post(f"/studies/{study}/move", data={"patient": "", "day_unknown": "on", "seen": seen})
    assert answer.status_code == 303
    assert keeper.get(f"/api/v1/studies/{study}").json()["patient_id"] is None


def test_nothing_is_filed_under_an_archived_patient(radiologist, scans):
    patient = add(radiologist, "1", "Meyer, Anna")
    study = accept(radiologist, scans()).json()["study_id"]
    radiologist.post(f"/api/v1/patients/{patient}/archive")
    for answer in (
        radiologist.patch(f"/api/v1/studies/{study}", json={"patient_id": patient}),
        radiologist.post("/api/v1/uploads", json={"files": [{"name": "a.nii", "size": 1}], "patient_id": patient}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "patient_archived")


def test_the_same_scans_again_lead_to_the_study_to_be_moved(radiologist, scans):
    wrong, right = add(radiologist, "1", "A"), add(radiologist, "2", "B")
    study = accept(radiologist, scans(), patient_id=wrong).json()["study_id"]
    again = accept(radiologist, scans(), patient_id=right)
    assert (again.status_code, again.json()["existing"]) == (409, study)
    assert "move it" in again.json()["message"]


def test_an_unknown_day_is_told_and_compared_with_nothing(site, radiologist, scans):
    patient = add(radiologist, "1", "Meyer, Anna")
    segmented(site, radiologist, scans(0), patient_id=patient)
    segmented(site, radiologist, scans(1), patient_id=patient, taken_on="2026-03-01")
    assert days(radiologist, patient) == ["2026-03-01", None]
    assert changes(radiologist, patient) == [None, None]
    page = radiologist.get(f"/patients/{patient}").text
    assert "day unknown" in page
    assert "<svg" not in page
    points = radiologist.get(f"/api/v1/patients/{patient}/timeline").json()["points"]
    assert [radiologist.get(f"/api/v1/results/{point['id']}").json()["prior"] for point in points] == [None, None]


@pytest.mark.parametrize("day", [str(date.today() + timedelta(days=2)), "2099-01-01", "0001-01-01", "1970-01-01"])
def test_a_day_that_cannot_be_is_refused(radiologist, scans, day):
    announced = {"files": [{"name": "a.nii.gz", "size": 1}], "taken_on": day}
    assert radiologist.post("/api/v1/uploads", json=announced).status_code == 422
    study = accept(radiologist, scans()).json()["study_id"]
    assert radiologist.patch(f"/api/v1/studies/{study}", json={"taken_on": day}).status_code == 422
    seen = token(radiologist.get(f"/studies/{study}/move").text, "seen")
    refused = radiologist.post(f"/studies/{study}/move", data={"taken_on": day, "seen": seen})
    assert "day_impossible" in refused.text
    assert f'value="{day}"' in refused.text
    assert radiologist.get(f"/api/v1/studies/{study}").json()["taken_on"] is None


def test_the_confirm_page_keeps_what_was_chosen_after_a_refusal(radiologist, scans):
    patient = add(radiologist, "1", "Meyer, Anna")
    flair = scans()["case-t2f.nii.gz"]
    upload = send(radiologist, {"one.nii.gz": flair, "two.nii.gz": scans()["case-t1c.nii.gz"]})["id"]
    radiologist.post(f"/api/v1/uploads/{upload}/complete")
    chosen = {"patient": patient, "taken_on": "2026-03-01", "role-0": "flair", "role-1": "flair"}
    refused = radiologist.post(f"/uploads/{upload}/accept", data=chosen)
    assert (refused.status_code, "modality_ambiguous" in refused.text) == (422, True)
    assert f'<option value="{patient}" selected>' in refused.text
    assert 'name="taken_on" value="2026-03-01"' in refused.text
    assert refused.text.count('<option value="flair" selected>') == 2
    again = radiologist.post(f"/uploads/{upload}/accept", data={**chosen, "role-1": "t1c"})
    assert again.status_code == 303, again.text
    (study,) = radiologist.get("/api/v1/studies").json()["items"]
    assert (study["patient_id"], study["taken_on"]) == (patient, "2026-03-01")


def test_the_confirm_page_asks_for_the_day_or_that_it_is_unknown(radiologist, scans):
    upload = send(radiologist, scans(), taken_on="2026-03-01")["id"]
    radiologist.post(f"/api/v1/uploads/{upload}/complete")

    def confirm(**fields: str):
        return radiologist.post(f"/uploads/{upload}/accept", data=fields)

    assert "day_missing" in confirm(taken_on="").text
    assert "day_unclear" in confirm(taken_on="2026-03-01", day_unknown="on").text
    assert confirm(taken_on="", day_unknown="on").status_code == 303
    (study,) = radiologist.get("/api/v1/studies").json()["items"]
    assert study["taken_on"] is None
