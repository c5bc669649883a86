"""Label maps on grids of every kind, for the tests of formats and readers."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import torch
from hypothesis import strategies as st
from safetensors.torch import save_file

from bratsseg.exchange import export_case, labels_of
from bratsseg.exchange.formats import Export, files_of
from bratsseg.files import write_files
from bratsseg.network import UNetConfig, build_network
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.regions import Region
from bratsseg.study.volume import Volume

SHAPE = (20, 24, 12)
UNET = {"name": "unet", "dims": 2, "in_channels": 12, "out_channels": 3, "widths": [4, 8]}


def rotation(angles: tuple[float, float, float]) -> np.ndarray:
    """Turns about x, y and z, in radians."""
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        a, b = (one for one in range(3) if one != axis)
        part = np.eye(3)
        part[a, a] = part[b, b] = np.cos(angle)
        part[a, b], part[b, a] = -np.sin(angle), np.sin(angle)
        turn = turn @ part
    return turn


def affine(
    angles=(0.2, -0.3, 0.4), spacing=(1.0, 1.5, 3.0), flips=(-1, 1, 1), origin=(11.0, -22.0, 33.0)
) -> np.ndarray:
    """An oblique voxel-to-RAS-mm matrix; an odd number of flips makes its determinant negative."""
    matrix = np.eye(4)
    matrix[:3, :3] = rotation(angles) @ np.diag(np.multiply(spacing, flips))
    matrix[:3, 3] = origin
    return matrix


angle, edge = st.floats(-1.5, 1.5), st.floats(0.3, 6.0)
affines = st.builds(
    affine,
    st.tuples(angle, angle, angle),
    st.tuples(edge, edge, edge),
    st.tuples(*[st.sampled_from((-1, 1))] * 3),
    st.tuples(*[st.floats(-300, 300)] * 3),
)


def label_map(matrix: np.ndarray | None = None, assessable=frozenset(Region)) -> LabelMap:
    """Nested boxes off the middle in every direction, so that no flip or swap of axes goes unseen."""
    regions = np.zeros((3, *SHAPE), dtype=bool)
    regions[0, 3:14, 6:17, 2:9] = True
    regions[1, 5:11, 8:13, 3:7] = True
    regions[2, 6:9, 9:12, 5:7] = True
    for channel, region in enumerate(Region):
        regions[channel] &= region in assessable
    return LabelMap(regions, Grid.of(SHAPE, affine() if matrix is None else matrix), assessable)


def scan(matrix: np.ndarray | None = None) -> Volume:
    """A scan with a NIfTI header, as reading gives it."""
    grid = Grid.of(SHAPE, affine() if matrix is None else matrix)
    header = nib.Nifti1Header()
    header.set_data_shape(SHAPE)
    header.set_qform(grid.affine, code=1)
    header.set_sform(grid.affine, code=2)
    header.set_xyzt_units("mm")
    return Volume(np.zeros(SHAPE, dtype=np.int16), grid, header=header)


def voxel_to_ras(matrix: np.ndarray, voxel: tuple[int, int, int]) -> np.ndarray:
    """Where the middle of a voxel lies, in RAS mm."""
    return (matrix @ [*voxel, 1])[:3]


def write_nifti(path: Path, values: np.ndarray, matrix: np.ndarray | None = None, dtype: type = np.uint8) -> Path:
    """A label map as somebody else's tool writes it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values.astype(dtype), affine() if matrix is None else matrix), path)
    return path


def write_result(out: Path, case: str, dialect: str = "brats2023", **record: object) -> Path:
    """A case folder as ``segment`` leaves it."""
    from bratsseg.study.dialect import get_dialect
    from bratsseg.study.writing import write_label_map, write_probability

    folder = out / case
    folder.mkdir(parents=True)
    like = scan()
    files = [folder / f"{folder.name}_seg.nii.gz", folder / f"{folder.name}_prob_WT.nii.gz"]
    write_label_map(files[0], get_dialect(dialect).encode(label_map().regions), like, f"bratsseg m 1 {dialect}")
    write_probability(files[1], label_map().region(Region.WT).astype(np.float32) * 0.8, like)
    facts = {
        "bratsseg": {"schema": 1, "version": "0.1.0"},
        "case": case,
        "status": "done",
        "dialect": dialect,
        "model": {"name": "m", "version": "1", "sha256": "0" * 64},
        "outputs": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files},
        "not_assessable": {},
        "volumes_ml": {"WT": 1.5},
        **record,
    }
    (folder / f"{folder.name}.json").write_text(json.dumps(facts))
    return folder


def write_export(label_map, like, name, folder, formats, *, dialect, probabilities=None, record=None) -> list[Path]:
    """What ``export_case`` makes of a label map, with ``probabilities`` if any, on the disk below ``folder``."""
    mark = f"bratsseg m 1 {dialect.name}"
    if probabilities is None:
        files = export_case(label_map, like, name, formats, dialect=dialect, description=mark, record=record)
        return write_files(folder, files)
    export = Export(
        name=name,
        stem=name.rpartition("/")[2],
        values=dialect.encode(label_map.regions),
        like=like,
        labels=labels_of(dialect, label_map.assessable),
        dialect=dialect.name,
        description=mark,
        probabilities=probabilities,
    )
    return write_files(folder, files_of(export, formats))


def random_model(folder: Path, folds: int = 1) -> Path:
    """A released 2.5-D model with random weights that marks some of what it sees."""
    folder.mkdir(parents=True)
    weights = []
    for fold in range(folds):
        torch.manual_seed(fold)
        network = build_network(UNetConfig(**UNET))
        torch.nn.init.constant_(network.heads[0].bias, 0.3)
        file = folder / f"fold{fold}.safetensors"
        save_file({name: value.contiguous() for name, value in network.state_dict().items()}, file)
        weights.append({"file": file.name, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()})
    needs = {"WT": [["flair"]], "TC": [["t1c"]], "ET": [["t1c"]]}
    description = {
        "name": "random",
        "version": "1",
        "summary": "for tests",
        "licence": "Apache-2.0",
        "modalities": ["flair", "t1n", "t1c", "t2w"],
        "regions": ["WT", "TC", "ET"],
        "needs": needs,
        "network": UNET,
        "preparation": {"spacing_mm": 3.0, "multiple": 2},
        "passes": {"kind": "slabs", "slices": 3, "planes": [0, 1, 2]},
        "decoding": {"smallest_wt_ml": 0.0, "confidence": 0.0, "smallest_et_ml": 0.0, "et_confidence": 0.0},
        "weights": weights,
    }
    (folder / "model.json").write_text(json.dumps(description))
    return folder
