"""Segmenter: a released model on a device, made of three stages so that a batch can overlap them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bratsseg.errors import ContentError, ModalityMissing, NotBrainExtracted, UnlikeBrain
from bratsseg.inference.decoding import decode
from bratsseg.inference.model import ModelFolder, ReleasedModel
from bratsseg.inference.passes import run_pass
from bratsseg.inference.placed import PlacedProbabilities, Raw, bring_home
from bratsseg.inference.quality import assess, modality_drop
from bratsseg.inference.runtime import Runtime
from bratsseg.inference.shipped import PICTURES, shipped_names
from bratsseg.study.brain import Brain, find_brain
from bratsseg.study.case import raise_fatal
from bratsseg.study.grid import Grid
from bratsseg.study.labelmap import LabelMap
from bratsseg.study.likeness import unlike_brain, unlike_head
from bratsseg.study.modality import Modality
from bratsseg.study.quality import RegionQuality
from bratsseg.study.regions import Region
from bratsseg.study.volume import Study
from bratsseg.tensors.transforms import Placement, prepare


@dataclass(frozen=True, eq=False)
class PreparedStudy:
    """A study ready for the network: ``images`` (C, I, J, K) float32 in the model frame, and the way back.

    The images lie on the segmenter's device, where on a GPU they may still be in the making. ``forced`` says what only
    ``force`` let pass.
    """

    study: Study
    brain: Brain
    images: Tensor
    placement: Placement
    not_assessable: dict[Region, str]
    forced: tuple[str, ...] = ()

    def spent(self) -> PreparedStudy:
        """The same without images, for ``finish``, which needs none: they take memory that the next study wants."""
        return replace(self, images=self.images.new_empty(0))

    def lacking(self, modality: Modality) -> Study:
        """The study without one of its scans."""
        left = {kept: volume for kept, volume in self.study.volumes.items() if kept != modality}
        return replace(self.study, volumes=left)


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A label map on the grid of the study's reference volume, and how it came about.

    ``not_assessable`` tells for each region that was not looked for which modality it needs, ``quality`` how far each
    can be trusted. ``facts`` are plain values for the record (brain rule, pass, precision, …).
    """

    label_map: LabelMap
    not_assessable: dict[Region, str]
    quality: dict[Region, RegionQuality]
    warnings: tuple[str, ...]
    facts: dict[str, Any]
    _probabilities: dict[Region, NDArray[np.float32]] | None
    _placement: Placement

    def probability(self, region: Region) -> NDArray[np.float32]:
        """Probability of a region, (I, J, K) float32 on the full grid, 0 outside the brain; KeyError if unassessed."""
        if self._probabilities is None:
            raise ValueError("probabilities must be asked for: finish(…, probabilities=True)")
        full = np.zeros(self._placement.source, dtype=np.float32)
        full[self._placement.box] = self._probabilities[region]
        return full


class Segmenter:
    """A released model, loaded once and used for many studies.

    ``prepare`` and ``finish`` may run in other threads than ``run``; none of them keeps anything of a study.
    """

    def __init__(self, folder: ModelFolder, runtime: Runtime, why: str = "") -> None:
        self.folder = folder
        self.runtime = runtime
        self._why = why
        self._networks = [runtime.place(network) for network in folder.networks()]

    @classmethod
    def load(cls, name_or_folder: str | Path = "default", device: str = "auto", why: str = "") -> Segmenter:
        """Load a shipped model by name or any by folder; ``ModelError`` or ``UsageError`` say what is wrong.

        ``why`` this model was chosen, where nobody named it, is told in the facts of its results.
        """
        return cls(ModelFolder.find(name_or_folder), Runtime.choose(device), why)

    @property
    def model(self) -> ReleasedModel:
        """The model's description."""
        return self.folder.description

    def segment(self, study: Study, *, force: bool = False) -> Segmentation:
        """Segment one study. Raises a ``CaseError`` that says why a study cannot be.

        ``force`` goes on where the study is unlike what the model expects, with a warning in place of ``UnlikeBrain``.
        """
        from bratsseg.study.checks import inspect  # noqa: PLC0415 - reads files, which machines that only train cannot

        raise_fatal(study.case_id, inspect(study))
        prepared = self.prepare(study, force=force)
        return self.finish(prepared, self.run(prepared))

    def prepare(self, study: Study, *, force: bool = False) -> PreparedStudy:
        """Find the brain and make the network's input; ``force`` as in ``segment``. Raises a ``CaseError``."""
        self._require_subject(study)
        not_assessable = self._not_assessable(study)
        brain = self._brain(study)
        forced = self._unlike_expected(study, brain, force)
        images, placement = self._images(study, brain)
        return PreparedStudy(study, brain, images, placement, not_assessable, forced)

    def _images(self, study: Study, brain: Brain) -> tuple[Tensor, Placement]:
        """The network's input on the device, or on the CPU where the device has no room for making it."""
        modalities, rules = self.model.modalities, self.model.preparation
        with suppress(torch.OutOfMemoryError):
            images, _, placement = prepare(study, brain, modalities, rules, self.runtime.device)
            return images, placement
        images, _, placement = prepare(study, brain, modalities, rules)
        return images, placement

    def run(self, prepared: PreparedStudy) -> Raw:
        """Take the network over the input."""
        self.runtime.expect_any_shape()
        images = prepared.images.to(self.runtime.device)
        with torch.inference_mode(), self.runtime.autocast():
            passes = [run_pass(network, images, self.model.passes) for network in self._networks]
            logits = torch.stack([logits for logits, _ in passes]).mean(0) if len(passes) > 1 else passes[0][0]
        return Raw.started(logits, passes[0][1])

    def run_without(self, prepared: PreparedStudy) -> dict[Modality, Raw]:
        """Take the network over the input once more for each modality that can be left out; ``finish`` compares."""
        return {modality: self.run(self.without(prepared, modality)) for modality in self.can_be_left_out(prepared)}

    def can_be_left_out(self, prepared: PreparedStudy) -> tuple[Modality, ...]:
        """The study's modalities without any one of which the model still finds whole tumour."""
        given = [modality for modality in self.model.modalities if modality in prepared.study.volumes]
        needs = self.model.needs[Region.WT]
        return tuple(m for m in given if any(set(wanted) <= set(given) - {m} for wanted in needs))

    def without(self, prepared: PreparedStudy, modality: Modality) -> PreparedStudy:
        """The study as if it lacked ``modality``, in the same brain: what ``prepare`` makes of such a study.

        The two differ in one case: without a mask file the brain is searched in all modalities, here in ``modality``
        too, but ``prepare`` would not have it.
        """
        study = prepared.lacking(modality)
        if self.model.preparation.normalisation == "imagenet":  # whose channels are shifted after one was set to 0
            images, _ = self._images(study, prepared.brain)
        else:
            images = prepared.images.clone()
            images[self.model.modalities.index(modality)] = 0
        return replace(prepared, study=study, images=images, not_assessable=self._not_assessable(study))

    def finish(
        self,
        prepared: PreparedStudy,
        raw: Raw,
        without: Mapping[Modality, Raw] | None = None,
        *,
        probabilities: bool = True,
    ) -> Segmentation:
        """Take logits to the study's own grid and decode them; ``without`` is what ``run_without`` gave.

        Without ``probabilities`` those of the result cannot be asked for: to bring them home takes time on a GPU.
        """
        label_map, quality, kept = self._decoded(prepared, raw, probabilities=probabilities)
        if without:
            others = {m: self._decoded(self._without(prepared, m), other)[0] for m, other in without.items()}
            for region, drop in modality_drop(label_map, others).items():
                quality[region] = quality[region].model_copy(update={"modality_drop_dice": drop})
        return Segmentation(
            label_map=label_map,
            not_assessable=prepared.not_assessable,
            quality=quality,
            warnings=(*prepared.study.warnings, *prepared.forced),
            facts=self._facts(prepared, raw[1]) | _coverage(label_map),
            _probabilities=kept,
            _placement=prepared.placement,
        )

    def _without(self, prepared: PreparedStudy, modality: Modality) -> PreparedStudy:
        """As ``without``, where the images are spent."""
        study = prepared.lacking(modality)
        return replace(prepared, study=study, not_assessable=self._not_assessable(study))

    def _decoded(self, prepared: PreparedStudy, raw: Raw, *, probabilities: bool = False) -> _Decoded:
        """Decode on the device, or on the CPU where the device has no room for it."""
        with suppress(torch.OutOfMemoryError):
            return self._decoded_there(prepared, raw, probabilities)
        return self._decoded_there(prepared, raw.on_cpu(), probabilities)

    def _decoded_there(self, prepared: PreparedStudy, raw: Raw, probabilities: bool) -> _Decoded:
        grid, inside = prepared.study.reference.grid, prepared.brain.mask[prepared.placement.box]
        regions = tuple(region for region in self.model.regions if region not in prepared.not_assessable)
        with torch.inference_mode(), raw.beside():
            placed = bring_home(
                raw.logits,
                prepared.placement,
                inside,
                target=self.model.target,
                known=self.model.regions,
                wanted=regions,
                rules=self.model.decoding,
            )
            label_map, quality = self._read_off(placed, prepared.placement, inside, grid)
            kept = {region: placed.all_of(region) for region in regions} if probabilities else None
        return label_map, quality, kept

    def _read_off(
        self, placed: PlacedProbabilities, placement: Placement, inside: NDArray[np.bool_], grid: Grid
    ) -> tuple[LabelMap, dict[Region, RegionQuality]]:
        """The label map on ``grid``, and how far each region of it can be trusted."""
        full = np.zeros((len(Region), *grid.shape), dtype=bool)
        near = placed.near
        decoded = np.zeros((len(Region), 0, 0, 0), dtype=bool)
        if near is not None:
            decoded = decode(placed.there, placed.regions, grid.voxel_ml, self.model.decoding)
            full[(slice(None), *placement.box)][(slice(None), *near)] = decoded
        label_map = LabelMap(full, grid, frozenset(placed.regions))
        quality = assess(
            dict(zip(placed.regions, placed.there, strict=True)),
            {region: decoded[list(Region).index(region)] for region in placed.regions},
            inside[near or np.s_[:0, :0, :0]],
            grid.voxel_ml,
            over_the_brain=placed.over_the_brain,
            rules=self.model.quality,
        )
        return label_map, quality

    def _facts(self, prepared: PreparedStudy, how: str) -> dict[str, Any]:
        return {
            "brain_rule": prepared.brain.rule,
            "brain_ml": _millilitres(prepared),
            "pass": how,
            "device": self.runtime.device.partition(":")[0],
            "precision": self.runtime.precision,
            "model_frame": list(prepared.placement.resampled),
            **({"model_chosen": self._why} if self._why else {}),
            **({"forced": True} if prepared.forced else {}),
        }

    def _require_subject(self, study: Study) -> None:
        """Refuse pictures for a model of volumes, and the reverse: intensities and size would mean something else."""
        given = "volume" if study.reference.grid.physical else "picture"
        if given == self.model.preparation.subject:
            return
        if given == "picture":
            which = f"case {study.case_id}: model {self.model.name} needs volumes, the case is a picture"
            if PICTURES in shipped_names():
                raise ContentError(f"{which}; give --model {PICTURES}, and segment volumes apart from pictures")
            raise ContentError(
                f"{which}, and no picture model is installed; train one with configs/training/unet2d_lgg.yaml and "
                "give it by --model"
            )
        raise ContentError(
            f"case {study.case_id}: model {self.model.name} needs pictures, the case is a volume; "
            "choose a model for volumes by --model, such as default"
        )

    def _brain(self, study: Study) -> Brain:
        """The brain; of what is not even a head nobody is told to extract one."""
        try:
            return find_brain(study)
        except NotBrainExtracted as error:
            unlike = unlike_head(study) if self.model.expects == "brain" else ()
            if unlike:
                raise UnlikeBrain(f"case {study.case_id}: {self._told(unlike)}; give a scan of a brain") from error
            raise

    def _unlike_expected(self, study: Study, brain: Brain, force: bool) -> tuple[str, ...]:
        """Refuse what is unlike a brain where the model expects one; the same in words where that was forced."""
        unlike = unlike_brain(study, brain) if self.model.expects == "brain" else ()
        if unlike and not force:
            told = f"case {study.case_id}: {self._told(unlike)}; give a scan of a brain"
            raise UnlikeBrain(f"{told}{UnlikeBrain.way_on}")
        return (f"{self._told(unlike)}; segmented all the same, as --force asks",) if unlike else ()

    def _told(self, unlike: tuple[str, ...]) -> str:
        return f"this does not look like a scan of a brain, which model {self.model.name} expects: {'; '.join(unlike)}"

    def _not_assessable(self, study: Study) -> dict[Region, str]:
        """The regions that this study cannot show, with the reason; ``ModalityMissing`` when none is left."""
        reasons: dict[Region, str] = {}
        for region in Region:
            if region not in self.model.regions:
                reasons[region] = f"model {self.model.name} does not segment {region}"
                continue
            needs = self.model.needs[region]
            if not any(set(wanted) <= set(study.modalities) for wanted in needs):
                reasons[region] = f"needs {_listed(needs)}"
        if Region.WT in reasons:
            have = ", ".join(modality.label for modality in study.modalities)
            raise ModalityMissing(
                f"case {study.case_id}: model {self.model.name} {reasons[Region.WT]}, the study has {have}; "
                "add the missing scan, or name it with --layout when it is there under another name"
            )
        return reasons


_Decoded = tuple[LabelMap, dict[Region, RegionQuality], dict[Region, NDArray[np.float32]] | None]
"""The label map, its quality, and the probability of each assessable region (I, J, K) in the box, if asked for."""


def _listed(needs: tuple[tuple[Modality, ...], ...]) -> str:
    return " or ".join(" and ".join(modality.label for modality in wanted) for wanted in needs)


def _coverage(label_map: LabelMap) -> dict[str, Any]:
    """Of pictures, whose pixels have no size: how many pixels each region has, and what share of all that is."""
    if label_map.grid.physical:
        return {}
    counts = {region: int(np.count_nonzero(label_map.region(region))) for region in Region}
    counts = {region: count for region, count in counts.items() if region in label_map.assessable}
    total = label_map.regions[0].size
    shares = {str(region): round(100 * count / total, 4) for region, count in counts.items()}
    return {"pixels": {str(region): count for region, count in counts.items()}, "coverage_percent": shares}


def _millilitres(prepared: PreparedStudy) -> float | None:
    voxel = prepared.study.reference.grid.voxel_ml
    return None if voxel is None else round(float(np.count_nonzero(prepared.brain.mask)) * voxel, 1)
