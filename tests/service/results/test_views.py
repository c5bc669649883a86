"""Results: what the viewer is told, what may be fetched, and what readers say of it."""

from __future__ import annotations

import gzip
import io
import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from bratsseg.service.accounts.roles import Role
from bratsseg.service.results.views import verdict_of
from tests.conftest import head_slice
from tests.service.conftest import OBLIQUE, accept, finish
from tests.service.results.conftest import correct, decide, fetch, image, nothing_drawn, packed


def test_a_result_tells_what_the_viewer_needs(shared):
    _, client, patient, (first, second) = shared
    facts = client.get(f"/api/v1/results/{second}").json()
    whole = facts["regions"]["WT"]
    assert facts["verdict"] == "finding"
    assert whole["volume_ml"] > 0
    assert whole["lesions"] >= 1
    assert whole["longest_axial_mm"] > 0
    assert facts["location"]["side"] in ("left", "right", "midline", "both sides")
    assert set(facts["not_assessable"]) == {"TC", "ET"}
    assert facts["patient_id"] == patient
    assert facts["study"]["modalities"] == ["flair", "t1c", "t1n", "t2w"]
    assert facts["model"]["installed"]["thresholds"] == {"WT": 0.5}
    assert facts["prior"]["id"] == first
    before = client.get(f"/api/v1/results/{first}").json()["regions"]["WT"]["volume_ml"]
    assert facts["prior"]["change_ml"]["WT"] == pytest.approx(whole["volume_ml"] - before, abs=1e-3)


def test_its_files_come_whole_and_no_other(shared, scans):
    _, client, _, (first, _) = shared
    facts = client.get(f"/api/v1/results/{first}").json()
    wanted = {"flair.nii.gz", "labels.nii.gz", "probability-WT.nii.gz", "segmentation.seg.nrrd", "report.pdf"}
    assert wanted <= facts["files"].keys()
    assert fetch(client, first, "flair.nii.gz") == scans(0, OBLIQUE)["case-t2f.nii.gz"]
    assert fetch(client, first, "report.pdf").startswith(b"%PDF")
    labels = image(fetch(client, first, "labels.nii.gz"))
    np.testing.assert_allclose(labels.affine, OBLIQUE, atol=1e-4)
    seen = float((np.asarray(labels.dataobj) > 0).sum()) * abs(np.linalg.det(OBLIQUE[:3, :3])) / 1000
    assert seen == pytest.approx(facts["regions"]["WT"]["volume_ml"], rel=1e-3)
    for name in ("../../bratsseg.sqlite", "..%2f..%2fbratsseg.sqlite", "nothing.nii.gz", ".", "bratsseg.sqlite"):
        assert client.get(f"/api/v1/results/{first}/files/{name}").status_code in (403, 404)


def test_no_name_of_a_patient_is_in_a_file_or_its_name(shared):
    site, client, _, (first, _) = shared
    for path in (*site.settings.results.rglob("*"), *site.settings.studies.rglob("*")):
        assert "Meyer" not in path.name
    assert "Meyer" not in client.get(f"/api/v1/results/{first}/files/report.pdf").headers["content-disposition"]


def test_the_pages_show_result_and_timeline(shared):
    _, client, patient, (first, second) = shared
    page = client.get(f"/results/{second}").text
    assert "Finding" in page
    assert "not assessable" in page
    assert "Not a medical device" in page
    shown = client.get(f"/patients/{patient}").text
    assert "<svg" in shown
    assert "style=" not in shown
    assert shown.index("2026-01-05") < shown.index("2026-03-01")
    points = client.get(f"/api/v1/patients/{patient}/timeline").json()["points"]
    assert [point["id"] for point in points] == [first, second]


def test_the_page_calls_the_dice_of_nothing_unknown(shared):
    site, client, _, (first, _) = shared
    study = client.get(f"/api/v1/results/{first}").json()["study"]["id"]
    (path,) = site.settings.results.rglob(f"{study}.json")
    kept = path.read_bytes()
    nothing = {"answer": "none found", "predicted_dice": 0.69, "boundary_entropy": None}  # as earlier versions wrote it
    path.write_text(json.dumps(json.loads(kept) | {"quality": {"WT": nothing}}), encoding="utf-8")
    try:
        page, facts = client.get(f"/results/{first}").text, client.get(f"/api/v1/results/{first}").json()
    finally:
        path.write_bytes(kept)
    assert "Predicted Dice: WT unknown (chance of a miss 0.31)" in page
    assert "review first: no tumour was found" in page
    assert facts["quality"]["WT"]["predicted_dice"] is None
    assert facts["quality"]["WT"]["missed_chance"] == 0.31
    assert "Predicted Dice: WT 0." in client.get(f"/results/{first}").text


def test_a_reader_accepts_or_rejects_and_every_word_stays(shared):
    _, client, _, (_, second) = shared
    address = f"/api/v1/results/{second}"
    assert client.post(f"{address}/reviews", json={"decision": "perhaps"}).status_code == 422
    attack = "<script>alert(1)</script>"
    decide(client, second, "reject", attack)
    decide(client, second, "accept", "after all")
    facts = client.get(address).json()
    assert [review["decision"] for review in facts["reviews"]] == ["reject", "accept"]
    assert facts["decision"] == "accept"
    assert attack not in client.get(f"/results/{second}").text


@pytest.mark.parametrize("as_shown", [False, True], ids=["as stored", "turned to RAS"])
def test_a_correction_lies_where_it_was_drawn(shared, as_shown):
    _, client, _, (first, _) = shared
    address = f"/api/v1/results/{first}"
    drawn = image(fetch(client, first, "labels.nii.gz"))
    values = np.asarray(drawn.dataobj).copy()
    values[:] = 0
    values[12:15, 10:14, 9:12] = 2
    values[13, 11:13, 10] = 3
    drawn = nib.Nifti1Image(values.astype(np.uint8), drawn.affine)
    sent = nib.as_closest_canonical(drawn) if as_shown else drawn
    answer = correct(client, first, packed(sent), "drawn")
    assert answer.status_code == 201, answer.text
    back = image(fetch(client, first, "corrected.nii.gz"))
    np.testing.assert_allclose(back.affine, drawn.affine, atol=1e-4)
    np.testing.assert_array_equal(np.asarray(back.dataobj), values)
    facts = client.get(address).json()
    millilitre = abs(np.linalg.det(OBLIQUE[:3, :3])) / 1000
    assert facts["regions"]["WT"]["volume_ml"] == pytest.approx(36 * millilitre, rel=1e-3)
    assert facts["regions"]["ET"]["volume_ml"] == pytest.approx(2 * millilitre, rel=1e-3)
    assert facts["corrected"] == answer.json()["id"]
    assert fetch(client, first, "corrected.seg.nrrd").startswith(b"NRRD")
    assert fetch(client, first, "corrected-report.pdf").startswith(b"%PDF")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda values, affine: (values, affine + _shift(5.0)), "grids_differ"),
        (lambda values, affine: (values[1:], affine), "grids_differ"),
        (lambda values, affine: (values + 9, affine), "labels_invalid"),
    ],
)
def test_a_drawing_on_another_grid_or_of_other_values_is_refused(shared, change, code):
    site, client, _, (first, _) = shared
    labels = image(fetch(client, first, "labels.nii.gz"))
    before = len(list(site.settings.corrections.iterdir()))
    values, affine = change(np.asarray(labels.dataobj), labels.affine)
    answer = correct(client, first, packed(nib.Nifti1Image(values.astype(np.uint8), affine)))
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert correct(client, first, b"no").status_code == 422
    assert len(list(site.settings.corrections.iterdir())) == before


def _shift(by: float) -> np.ndarray:
    moved = np.zeros((4, 4))
    moved[0, 3] = by
    return moved


def test_three_verdicts_and_a_speck_is_no_finding():
    def verdict(assessable: bool, lesions: int | None) -> str:
        return verdict_of({"regions": {"WT": {"assessable": assessable, "lesions": lesions}}})

    assert verdict(True, 1) == "finding"
    assert verdict(True, 0) == "none_found"
    assert verdict(False, None) == "not_assessable"


def test_a_picture_is_measured_in_pixels_and_never_in_mm(seed, tmp_path):
    import json
    import shutil

    from bratsseg.inference.shipped import SHIPPED
    from bratsseg.service.released import announce_models
    from tests.service.conftest import Site, make_settings

    model = tmp_path / "of-pictures"
    model.mkdir()
    facts = json.loads((SHIPPED / "flair-threshold" / "model.json").read_text())
    facts["name"] = "of-pictures"
    facts["preparation"] |= {"subject": "picture", "normalisation": "zscore-picture"}
    (model / "model.json").write_text(json.dumps(facts))
    site = Site(make_settings(shutil.copytree(seed, tmp_path / "data"), models=(str(model),)))
    announce_models(site.context.store, site.settings)
    client = site.client(Role.RADIOLOGIST)
    out, pixels = io.BytesIO(), np.where(np.hypot(*(np.indices((64, 64)) - 32)) < 25, 90, 0)
    pixels[pixels > 0] += np.arange(np.count_nonzero(pixels)) % 14
    pixels[20:30, 30:42] = 220
    Image.fromarray(pixels.astype(np.uint8)).save(out, "TIFF")
    job = finish(site, client, accept(client, {"slice.tif": out.getvalue()}).json()["job_id"])
    assert job["status"] == "done", job["reason"]
    result = client.get(f"/api/v1/results/{job['result_id']}").json()
    assert result["picture"] == {"pixels": 120, "of": 4096, "percent": 2.93}
    assert result["regions"]["WT"]["volume_ml"] is None
    assert not [flag for flag in result["flags"] if "format" in flag]
    assert {"picture.png", "mask.png", "overlay.png", "heatmap.png"} <= result["files"].keys()
    shown = Image.open(io.BytesIO(fetch(client, job["result_id"], "overlay.png")))
    assert shown.getpixel((30, 20)) == (86, 180, 233)
    assert shown.getpixel((36, 25)) == (220, 220, 220)
    assert "mL" not in client.get(f"/results/{job['result_id']}").text.partition("<main")[2].partition("<footer")[0]
    site.context.close()


def test_a_grey_picture_is_taken_by_the_picture_model_that_ships(seed, tmp_path):
    import shutil

    from bratsseg.service.released import announce_models
    from tests.service.conftest import Site, make_settings

    site = Site(make_settings(shutil.copytree(seed, tmp_path / "data")))
    announce_models(site.context.store, site.settings)
    client = site.client(Role.RADIOLOGIST)
    job = finish(site, client, accept(client, {"slice.png": _png(head_slice())}).json()["job_id"])
    assert (job["status"], job["model"]) == ("done", "default-picture"), job["reason"]
    gradient = np.indices((64, 48)).sum(0).astype(np.uint8)
    refused = finish(site, client, accept(client, {"other.png": _png(gradient)}).json()["job_id"])
    assert (refused["status"], refused["code"]) == ("failed", "not_a_brain_scan")
    assert refused["reason"].endswith("give a scan of a brain")
    site.context.close()


def _png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_lists_of_studies_and_jobs_name_the_patient_in_the_audit(shared):
    site, client, patient, _ = shared
    for address in ("/api/v1/jobs", "/api/v1/studies"):
        told = client.get(address).json()["items"][0]["patient"]
        assert told == {"id": patient, "name": "Meyer, Anna", "number": "7"}
    for address in ("/jobs", "/"):
        assert f'<a href="/patients/{patient}">Meyer, Anna</a>, 7' in client.get(address).text
    acts = site.client(Role.ADMINISTRATOR).get("/api/v1/audit", params={"action": "patient.list"}).json()["items"]
    assert len(acts) == 4
    assert {tuple(act["details"]["shown"]) for act in acts} == {(patient,)}


def test_nothing_is_measured_against_a_result_that_was_rejected(shared):
    _, client, patient, (first, second) = shared
    decide(client, first, "reject")
    assert client.get(f"/api/v1/results/{second}").json()["prior"] is None
    points = client.get(f"/api/v1/patients/{patient}/timeline").json()["points"]
    assert [point["id"] for point in points] == [first, second]
    assert points[1]["change_ml"]["WT"] is None
    assert "<svg" not in client.get(f"/patients/{patient}").text
    decide(client, first, "accept")
    assert client.get(f"/api/v1/results/{second}").json()["prior"]["id"] == first


def test_a_correction_has_the_last_word_on_the_verdict(shared):
    _, client, _, (first, _) = shared
    sent = correct(client, first, nothing_drawn(client, first))
    assert sent.status_code == 201, sent.text
    facts = client.get(f"/api/v1/results/{first}").json()
    assert (facts["verdict"], facts["regions"]["WT"]["volume_ml"]) == ("none_found", 0)
    assert ">None found<" in client.get(f"/results/{first}").text
    study = client.get(f"/api/v1/studies/{facts['study_id']}").json()
    assert [result["verdict"] for result in study["results"]] == ["none_found"]


def test_a_drawing_too_large_is_refused_by_its_header(shared):
    _, client, _, (first, _) = shared
    bomb = nib.Nifti1Image(np.zeros((1, 1, 1), np.uint8), np.eye(4))
    bomb.header.set_data_shape((2000, 2000, 2000))
    answer = correct(client, first, gzip.compress(bomb.header.binaryblock + bytes(4)))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large"), answer.text
