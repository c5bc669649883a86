"""The verb ``synthesize``: synthetic patients with truth, named and laid out as BraTS 2023 has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bratsseg.errors import UsageError

if TYPE_CHECKING:
    import nibabel as nib
    import numpy as np
    from numpy.typing import NDArray

    from bratsseg.report.gallery import Gallery
    from bratsseg.synthesis.patient import SyntheticPatient

# BraTS since 2017: 1 mm, axes LPS, this corner in RAS mm.
SHAPE = (240, 240, 155)
ORIGIN = (0.0, 239.0, 0.0)
_SUFFIXES = ("t2f", "t1n", "t1c", "t2w")  # in Modality order
_BRIGHT = 1000.0
ON_A_SHEET = 8


def synthesize(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder for the patients.")],
    cases: Annotated[int, typer.Option("--cases", min=1, max=100_000, metavar="N", help="How many.")] = 3,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="S", help="The same seed makes the same bytes.")] = 0,
    preview: Annotated[
        bool,
        typer.Option("--preview", help=f"Also OUT/preview-01.png and on: contact sheets of {ON_A_SHEET} patients."),
    ] = False,
) -> None:
    """Make synthetic patients with truth: OUT/BraTS-SYN-00000-000/BraTS-SYN-00000-000-{t1n,t1c,t2w,t2f,seg}.nii.gz.

    They are for trying the software out and for tests, and no evidence of accuracy on real scans.
    """
    from tqdm import tqdm

    from bratsseg.synthesis.generator import synthesize_patient

    if out.exists() and not out.is_dir():
        raise UsageError(f"OUT {out}: must be a folder, was a file")
    shown: list[Gallery] = []
    for index in tqdm(range(cases), unit="patient", disable=None):
        patient = synthesize_patient(seed, index)
        write_patient(patient, out, f"BraTS-SYN-{index:05d}-000", f"synthetic, seed {seed}")
        if preview:
            shown.append(_cuts(patient))
        if shown and (len(shown) == ON_A_SHEET or index == cases - 1):
            _write_sheet(shown, out / f"preview-{index // ON_A_SHEET + 1:02d}.png")
            shown = []


def _cuts(patient: SyntheticPatient) -> Gallery:
    """The patient's four modalities with outlines, cut where the tumour is largest."""
    from bratsseg.report.gallery import build_gallery
    from bratsseg.report.measures import measure
    from bratsseg.study.brain import find_brain
    from bratsseg.study.labelmap import LabelMap

    study = patient.study()
    label_map = LabelMap(patient.regions.cpu().numpy(), study.reference.grid)
    return build_gallery(label_map, measure(label_map), study, find_brain(study))


def _write_sheet(galleries: list[Gallery], path: Path) -> None:
    from bratsseg.report.contact import contact_sheet
    from bratsseg.study.writing import write_bytes

    write_bytes(path, contact_sheet(galleries))


def write_patient(patient: SyntheticPatient, out: Path, name: str, description: str) -> Path:
    """Write a patient of 1 mm in BraTS 2023's names, grid, type and label values; returns its folder."""
    import numpy as np

    from bratsseg.study.dialect import get_dialect
    from bratsseg.study.writing import write_bytes

    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    brain = patient.brain.cpu().numpy()
    for suffix, image in zip(_SUFFIXES, patient.images.cpu().numpy(), strict=True):
        scale = _BRIGHT / max(float(np.percentile(image[brain], 99.0)), 1e-6)
        stored = np.where(brain, np.clip(np.rint(image * scale), 1, 32767), 0).astype(np.int16)
        content = _nifti(_on_brats_grid(stored, brain), description)
        write_bytes(folder / f"{name}-{suffix}.nii.gz", content)
    labels = get_dialect("brats2023").encode(patient.regions.cpu().numpy()).astype(np.int16)
    write_bytes(folder / f"{name}-seg.nii.gz", _nifti(_on_brats_grid(labels, brain), description))
    return folder


def _on_brats_grid(voxels: NDArray[np.int16], brain: NDArray[np.bool_]) -> NDArray[np.int16]:
    """RAS voxels (I, J, K) → LPS on the BraTS grid, the brain's box in the middle; 0 where there is nothing.

    A brain taller than the grid loses its lowest slices, as in a scan whose field of view was set to the vertex.
    """
    import numpy as np

    from bratsseg.study.brain import bounding_box

    box = bounding_box(brain) or tuple(slice(0, size) for size in brain.shape)
    inside = voxels[box][::-1, ::-1, :]
    grid = np.zeros(SHAPE, dtype=np.int16, order="F")
    kept = tuple(min(size, room) for size, room in zip(inside.shape, SHAPE, strict=True))
    starts = tuple((room - size) // 2 for size, room in zip(kept, SHAPE, strict=True))
    to = tuple(slice(start, start + size) for start, size in zip(starts, kept, strict=True))
    grid[to] = inside[: kept[0], : kept[1], inside.shape[2] - kept[2] :]
    return grid


def _nifti(voxels: NDArray[np.int16], description: str) -> bytes:
    import nibabel as nib
    import numpy as np
    from isal import igzip

    affine = np.diag([-1.0, -1.0, 1.0, 1.0])
    affine[:3, 3] = ORIGIN
    image: nib.Nifti1Image = nib.Nifti1Image(voxels, affine)
    image.set_sform(affine, code=1)
    image.set_qform(affine, code=1)
    image.header.set_xyzt_units("mm")
    image.header["descrip"] = description.encode()[:79]
    return bytes(igzip.compress(image.to_bytes(), 1, mtime=0))
