"""Data sets of nnU-Net."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from bratsseg.study.modality import Modality
from tests.study.scans import FOUR, only, put, put_json


def nnunet(root: Path, facts: object | None) -> Path:
    put(root, *(f"imagesTr/BraTS2021_00000_{n:04d}.nii.gz" for n in range(4)), "labelsTr/BraTS2021_00000.nii.gz")
    if facts is not None:
        put_json(root / "dataset.json", facts)
    return root


@pytest.mark.parametrize("key", ["channel_names", "modality"])
@pytest.mark.parametrize("order", list(itertools.permutations(FOUR))[::7])
def test_nnunet_takes_the_order_from_dataset_json(tmp_path: Path, key: str, order: tuple[str, ...]) -> None:
    case = only(nnunet(tmp_path, {key: {str(n): name for n, name in enumerate(order)}}))
    assert case.sources[Modality.T1C].path.name == f"BraTS2021_00000_{order.index('t1ce'):04d}.nii.gz"
    assert (case.id, case.reference) == ("BraTS2021_00000", tmp_path / "labelsTr" / "BraTS2021_00000.nii.gz")
    assert case.dialect is None  # nnU-Net's converters renumber the labels


@pytest.mark.parametrize("facts", [None, {}, {"channel_names": {"0": "noNorm"}}, {"channel_names": "T1"}, [1]])
def test_nnunet_without_the_order_is_refused_and_never_guessed(tmp_path: Path, facts: object) -> None:
    case = only(nnunet(tmp_path, facts))
    assert not case.sources
    assert [problem.code for problem in case.problems] == ["modality_ambiguous"]
    assert "--layout" in case.problems[0].message
