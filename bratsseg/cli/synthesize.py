"""The verb ``synthesize``: synthetic patients with truth, named and laid out as BraTS 2023 has them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bratsseg.errors import UsageError

if TYPE_CHECKING:
    from bratsseg.report.gallery import Gallery
    from bratsseg.synthesis.patient import SyntheticPatient

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

    from bratsseg.exchange.brats import write_patient
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
    from bratsseg.files import write_bytes
    from bratsseg.report.contact import contact_sheet

    write_bytes(path, contact_sheet(galleries))
