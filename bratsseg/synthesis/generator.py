"""A whole synthetic patient, drawn from (seed, index)."""

from __future__ import annotations

import torch

from bratsseg.config import Config
from bratsseg.synthesis.anatomy import AnatomyConfig, bend, draw_shape, fitting_lattice, load_atlas
from bratsseg.synthesis.artefacts import ArtefactConfig, acquire, draw_artefacts
from bratsseg.synthesis.contrast import ContrastConfig, draw_palette
from bratsseg.synthesis.distractors import DistractorConfig, add_distractors, cut_brain
from bratsseg.synthesis.draws import Draws
from bratsseg.synthesis.head import HeadConfig, add_head
from bratsseg.synthesis.outline import OutlineConfig, draw_reader, outline
from bratsseg.synthesis.paint import paint_tissue, paint_tumour
from bratsseg.synthesis.patient import SyntheticPatient
from bratsseg.synthesis.pictures import PictureConfig
from bratsseg.synthesis.tumour import TumourConfig, TumourKind, draw_foci, grow, pushes

VERSION = "7"
"""Raised whenever the same (seed, index) gives another patient."""


class SynthesisConfig(Config):
    """Everything that is drawn for a synthetic patient; the defaults made the released model."""

    anatomy: AnatomyConfig = AnatomyConfig()
    """The head."""
    tumour: TumourConfig = TumourConfig()
    """What grows in it."""
    outline: OutlineConfig = OutlineConfig()
    """What is drawn around that as the reference."""
    contrast: ContrastConfig = ContrastConfig()
    """How bright each tissue is."""
    distractors: DistractorConfig = DistractorConfig()
    """What looks like a tumour and is none."""
    artefacts: ArtefactConfig = ArtefactConfig()
    """What the scanner adds."""
    head: HeadConfig | None = None
    """What surrounds the brain; None strips it, as the released model for volumes wants it."""
    pictures: PictureConfig = PictureConfig()
    """How pictures are taken, where pictures are wanted."""


@torch.no_grad()
def synthesize_patient(
    seed: int,
    index: int,
    spacing_mm: float = 1.0,
    config: SynthesisConfig | None = None,
    device: torch.device | str = "cpu",
) -> SyntheticPatient:
    """Make the patient (seed, index) on ``device``; the same arguments give the same patient."""
    config = config or SynthesisConfig()
    device = torch.device(device)
    margin = 0.0 if config.head is None else config.head.margin_mm
    draws, atlas = Draws(seed, index, device), load_atlas(device, margin)
    shape = draw_shape(draws, config.anatomy)
    foci = draw_foci(draws, config.tumour, atlas, shape)
    palette = draw_palette(draws, config.contrast, enhances=not foci or foci[0].kind is TumourKind.ENHANCING)
    artefacts = draw_artefacts(draws, config.artefacts, spacing_mm)
    lattice = fitting_lattice(shape, atlas, spacing_mm)
    anatomy = bend(draws, shape, lattice, atlas=atlas, pushes=pushes(foci, atlas, shape), config=config.anatomy)
    # A real shape is outlined as it was, and its border laid around that: its reader is known before it grows.
    reader = draw_reader(draws, config.outline) if any(focus.graft for focus in foci) else None
    tumour = grow(draws, foci, anatomy, lattice, reader)
    images = paint_tissue(draws, palette, anatomy, lattice)
    add_distractors(draws, config.distractors, images, anatomy, lattice)
    paint_tumour(draws, palette, images, tumour=tumour, anatomy=anatomy, lattice=lattice)
    if config.head is None:
        brain = cut_brain(draws, config.distractors, images, anatomy, lattice)
    else:
        brain = anatomy.depth > 0
        add_head(draws, config.head, images, palette=palette, anatomy=anatomy, shape=shape, lattice=lattice)
    images = acquire(draws, artefacts, images, lattice, config.artefacts.bias_scale_mm)
    if config.head is None:
        images.clamp_(min=0.01).mul_(brain)
    reader = reader or draw_reader(draws, config.outline)
    regions = outline(reader, tumour, anatomy.fluid, lattice) & brain
    return SyntheticPatient(images, regions, brain, (spacing_mm, spacing_mm, spacing_mm))
