"""MONAI runs an exported bundle on a study, with its own evaluator (which needs pytorch-ignite)."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch

from bratsseg.exchange.foreign.monai_bundle import export_monai_bundle
from bratsseg.inference import Segmenter
from bratsseg.study.dialect import get_dialect
from bratsseg.study.modality import Modality
from tests.conftest import make_study
from tests.exchange.made import affine, random_model

pytestmark = pytest.mark.client


@pytest.fixture(autouse=True)
def one_thread():
    """Small tensors: threads would wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_monai_finds_the_network_as_its_metadata_says(tmp_path):
    from monai.bundle import verify_net_in_out

    export_monai_bundle(random_model(tmp_path / "model"), tmp_path / "bundle")
    configs = tmp_path / "bundle" / "configs"
    verify_net_in_out(
        "network_def", meta_file=str(configs / "metadata.json"), config_file=str(configs / "inference.json"), n=8
    )


def test_monai_runs_the_bundle_to_the_label_map_of_segment(tmp_path):
    pytest.importorskip("ignite", reason="pytorch-ignite is not installed (pip install pytorch-ignite)")
    from monai.bundle import ConfigWorkflow

    folder = random_model(tmp_path / "model")
    export_monai_bundle(folder, tmp_path / "bundle", dialect="brats2021")
    matrix = affine(spacing=(2.0, 2.0, 2.0))
    study = make_study(tuple(Modality), shape=(24, 28, 22), affine=matrix)
    (tmp_path / "studies" / "P1").mkdir(parents=True)
    names = {Modality.FLAIR: "FLAIR", Modality.T1N: "T1", Modality.T1C: "T1ce", Modality.T2W: "T2"}
    for modality, volume in study.volumes.items():
        nib.save(nib.Nifti1Image(volume.voxels, matrix), tmp_path / "studies" / "P1" / f"P1_{names[modality]}.nii.gz")
    configs = tmp_path / "bundle" / "configs"
    workflow = ConfigWorkflow(
        config_file=str(configs / "inference.json"),
        meta_file=str(configs / "metadata.json"),
        workflow_type="infer",
        logging_file=False,
        bundle_root=str(tmp_path / "bundle"),
        dataset_dir=str(tmp_path / "studies"),
        output_dir=str(tmp_path / "results"),
    )
    workflow.initialize()
    assert workflow.check_properties() == []
    workflow.run()
    image = nib.load(tmp_path / "results" / "P1" / "P1_seg.nii.gz")
    theirs = np.asarray(image.dataobj)
    ours = get_dialect("brats2021").encode(Segmenter.load(folder, "cpu").segment(study).label_map.regions)
    brain = study.reference.voxels > 0
    assert np.allclose(image.affine, matrix, atol=1e-4)
    assert ours.any()
    # Outside the brain a bundle does not mask; inside, float32 and bfloat16 may part at a threshold.
    assert np.mean(theirs[brain] != ours[brain]) < 0.01
