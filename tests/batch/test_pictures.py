"""Pictures through the whole road: a mask for every slice, named and sized as its picture, and never a millilitre."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save

from bratsseg.batch import BatchOptions, read_record, segment_folder
from bratsseg.batch.folder import BatchSummary
from bratsseg.evaluation.folders import evaluate_folders
from bratsseg.inference import Segmenter
from bratsseg.network import UNetConfig, build_network
from bratsseg.results.labelmaps import find_label_maps
from bratsseg.study.reading import read_reference
from bratsseg.study.regions import Region

CASE = "TCGA_CS_4941_19960909"
SIZE = (40, 32)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A network of random weights whose threshold marks what is bright on FLAIR: enough to tell where pixels go."""
    folder = tmp_path / "model"
    folder.mkdir()
    config = UNetConfig(dims=2, in_channels=3, out_channels=1, widths=(2, 2))
    network = build_network(config)
    state = {name: value * 0 for name, value in network.state_dict().items()}
    # FLAIR, channel 1, goes through the finest level unchanged and straight to the logit.
    for name, value in network.state_dict().items():
        if name.endswith(("running_var", "_norm.weight")):
            state[name] = value * 0 + 1
    state["down.0.first.weight"][0, 1, 1, 1] = 1
    state["down.0.second.weight"][0, 0, 1, 1] = 1
    state["up.0.first.weight"][0, 2, 1, 1] = 1
    state["up.0.second.weight"][0, 0, 1, 1] = 1
    state["heads.0.weight"][0, 0] = 20
    state["heads.0.bias"][0] = -10
    content = save({name: value.contiguous() for name, value in state.items()})
    (folder / "weights.safetensors").write_bytes(content)
    description = {
        "name": "bright",
        "version": "1",
        "summary": "marks bright FLAIR",
        "licence": "Apache-2.0",
        "modalities": ["t1n", "flair", "t1c"],
        "regions": ["WT"],
        "needs": {"WT": [["flair"]]},
        "network": config.model_dump(mode="json"),
        "preparation": {"subject": "picture", "crop": "none", "normalisation": "unit", "multiple": 2},
        "passes": {"kind": "slabs", "slices": 1},
        "decoding": {},
        "weights": [{"file": "weights.safetensors", "sha256": hashlib.sha256(content).hexdigest()}],
    }
    (folder / "model.json").write_text(json.dumps(description))
    return folder


def write_lgg(folder: Path, slices: int = 11) -> Path:
    """A patient whose slice n is bright in a block that starts at column n; slices are not padded with zeros."""
    (folder / CASE).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for n in range(1, slices + 1):
        pixels = rng.integers(20, 60, (SIZE[1], SIZE[0], 3)).astype(np.uint8)
        pixels[8:16, n : n + 8, 1] = 250
        Image.fromarray(pixels).save(folder / CASE / f"{CASE}_{n}.tif")
    return folder


def run(scans: Path, out: Path, model: Path, **options: object) -> BatchSummary:
    chosen = BatchOptions.model_validate(options)
    return segment_folder(scans, out, chosen, Segmenter.load(model, "cpu"))


def block(n: int) -> np.ndarray:
    wanted = np.zeros((SIZE[1], SIZE[0]), dtype=bool)
    wanted[8:16, n : n + 8] = True
    return wanted


def test_every_slice_gets_its_own_mask(tmp_path: Path, model: Path) -> None:
    scans = write_lgg(tmp_path / "kaggle_3m")
    assert run(scans, tmp_path / "out", model, probabilities=True).all_done
    done = tmp_path / "out" / CASE
    for n in range(1, 12):
        mask = np.asarray(Image.open(done / f"{CASE}_{n}_mask.tif"))
        assert mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 255}
        assert np.array_equal(mask > 0, block(n)), f"slice {n}"
        heat = np.asarray(Image.open(done / f"{CASE}_{n}_prob_WT.png"))
        assert np.array_equal(heat > 127, block(n))
    assert not list(done.glob("*.nii.gz")), "a picture has no place in the head"


def test_the_record_counts_pixels_and_no_millilitres(tmp_path: Path, model: Path) -> None:
    run(write_lgg(tmp_path / "kaggle_3m"), tmp_path / "out", model)
    record = read_record(tmp_path / "out" / CASE / f"{CASE}.json")
    assert record is not None
    assert record.facts["pixels"] == {"WT": 11 * 64}
    assert record.facts["coverage_percent"] == {"WT": pytest.approx(100 * 64 / (40 * 32), abs=1e-3)}
    assert record.volumes_ml == {"WT": None, "TC": None, "ET": None}
    assert record.dialect == "whole-tumour"
    assert f"{CASE}_11_mask.tif" in record.outputs


def test_a_zip_as_downloaded_is_a_folder_of_studies(tmp_path: Path, model: Path) -> None:
    scans = write_lgg(tmp_path / "kaggle_3m")
    with zipfile.ZipFile(tmp_path / "kaggle_3m.zip", "w") as packed:
        for file in sorted(scans.rglob("*.tif")):
            packed.write(file, file.relative_to(tmp_path))
    assert run(tmp_path / "kaggle_3m.zip", tmp_path / "out", model).all_done
    again = run(tmp_path / "kaggle_3m.zip", tmp_path / "out", model)
    assert [outcome.fresh for outcome in again.outcomes] == [False], "nothing is computed twice"


def test_masks_read_back_as_the_cases_label_map(tmp_path: Path, model: Path) -> None:
    run(write_lgg(tmp_path / "kaggle_3m"), tmp_path / "out", model)
    found = find_label_maps(tmp_path / "out").by_case()[0][CASE]
    assert found.dialect == "whole-tumour"
    volume = read_reference(found.path, CASE)
    assert volume.grid.shape == (*SIZE, 11)
    assert all(np.array_equal(volume.voxels[:, :, n - 1].T > 0, block(n)) for n in range(1, 12))


def test_salted_names_say_nothing_of_the_patient(tmp_path: Path, model: Path) -> None:
    run(write_lgg(tmp_path / "kaggle_3m", 3), tmp_path / "out", model, salt="x")
    files = [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not [name for name in files if "TCGA" in name]
    assert sum(name.endswith("_mask.png") for name in files) == 3


def test_masks_of_an_earlier_run_do_not_stay(tmp_path: Path, model: Path) -> None:
    scans = write_lgg(tmp_path / "kaggle_3m", 5)
    run(scans, tmp_path / "out", model)
    (scans / CASE / f"{CASE}_5.tif").unlink()
    run(scans, tmp_path / "out", model)
    assert len(list((tmp_path / "out" / CASE).glob("*_mask.tif"))) == 4


def test_masks_are_scored_against_the_zip_they_were_made_from(tmp_path: Path, model: Path) -> None:
    scans = write_lgg(tmp_path / "kaggle_3m", 4)
    for n in range(1, 5):
        mask = Image.fromarray(block(n).astype(np.uint8) * np.uint8(255))
        mask.save(scans / CASE / f"{CASE}_{n}_mask.tif")
    with zipfile.ZipFile(tmp_path / "kaggle_3m.zip", "w") as packed:
        for file in sorted(scans.rglob("*.tif")):
            packed.write(file, file.relative_to(tmp_path))
    run(tmp_path / "kaggle_3m.zip", tmp_path / "out", model)
    found = evaluate_folders(tmp_path / "out", tmp_path / "kaggle_3m.zip")
    whole = found.scores[CASE].regions[Region.WT]
    assert whole.dice == 1.0
    assert np.isnan(whole.hd95_mm), "pixels have no size"
