"""The road of ``tensors.transforms`` as MONAI parts, for anyone's ``Compose``.

::

    Compose([
        LoadImaged("study", reader=StudyReader()),               # a folder that holds one case, or a list of its files
        LoadImaged("label", ensure_channel_first=True),
        ToRegionsd("label", dialect="brats2021"),
        PrepareStudyd(("study", "label"), Preparation(spacing_mm=1.0)),
    ])

``LoadImaged(..., expanduser=False)`` lets the item be a ``Case`` of ``find_cases``. These are thin adapters: what they
compute is ``read_study``, ``prepare``, ``place_back`` and ``Dialect.decode``.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from monai.config import KeysCollection
from monai.data import ImageReader, MetaTensor
from monai.transforms import InvertibleTransform, MapTransform
from monai.utils.enums import MetaKeys, SpaceKeys, TraceKeys
from numpy.typing import NDArray
from torch import Tensor

from bratsseg.errors import GridMismatch, LabelError, ModalityAmbiguous, ModalityMissing, UsageError
from bratsseg.study.brain import find_brain
from bratsseg.study.case import Case, VolumeSource, raise_fatal
from bratsseg.study.checks import inspect
from bratsseg.study.dialect import get_dialect
from bratsseg.study.grid import Grid
from bratsseg.study.layout import find_cases
from bratsseg.study.layout.roles import stem_of
from bratsseg.study.modality import Modality, modality_of
from bratsseg.study.reading import GeometryPolicy, read_study
from bratsseg.study.volume import Study, Volume
from bratsseg.tensors.transforms import Placement, Preparation, place_back, prepare, to_model_frame

Item = Case | Mapping[Any, Any] | Sequence[Any] | str | Path

# Keys of the MetaTensor's meta; texts, because MONAI's collation turns lists inside out.
CHANNELS, AT_HAND, CASE_ID, BRAIN_MASK = "channels", "modalities", "case_id", "brain_mask"


class StudyReader(ImageReader):  # type: ignore[misc]
    """Read the volumes of one case as one array (C, I, J, K) float32 in the study's own grid.

    Channels are the modalities at hand in the order of ``Modality``, or exactly ``modalities``; then one that the case
    lacks is refused, or with ``missing="zeros"`` a channel of 0. The meta has ``affine`` (RAS mm), ``channels``,
    ``modalities`` (those at hand), ``case_id`` and, when the case has one, ``brain_mask`` (I, J, K) uint8.
    """

    def __init__(
        self,
        modalities: Sequence[Modality | str] | None = None,
        missing: Literal["refuse", "zeros"] = "refuse",
        policy: GeometryPolicy | None = None,
    ) -> None:
        super().__init__()
        self.modalities = None if modalities is None else _named("StudyReader", modalities)
        self.missing = missing
        self.policy = policy or GeometryPolicy()

    def verify_suffix(self, filename: Any) -> bool:
        """True for a case or a folder; files are left to MONAI's readers unless this one is asked by name."""
        items = filename if isinstance(filename, list | tuple) else [filename]
        return all(isinstance(item, Case) or Path(item).is_dir() for item in items)

    def read(self, data: Item, **kwargs: Any) -> Study:
        """A case, a folder that holds one, files whose names tell modalities, or {modality: file} → its study.

        Raises a ``CaseError`` when it cannot be read, or when its voxels can be no scan.
        """
        study = read_study(_case(data), self.policy)
        raise_fatal(study.case_id, inspect(study))
        return study

    def get_data(self, img: Study) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """The study as (C, I, J, K) float32 and its meta; ``GridMismatch`` or ``ModalityMissing``."""
        grid = img.require_one_grid()
        wanted = img.modalities if self.modalities is None else self.modalities
        lacking = [modality.label for modality in wanted if modality not in img.volumes]
        if lacking and self.missing == "refuse":
            raise ModalityMissing(
                f'case {img.case_id}: {", ".join(lacking)} must be there, or be asked as zeros with missing="zeros"'
            )
        stack = np.zeros((len(wanted), *grid.shape), dtype=np.float32)
        for channel, modality in zip(stack, wanted, strict=True):
            if modality in img.volumes:
                channel[:] = img.volumes[modality].values()
        meta: dict[str, Any] = {
            MetaKeys.AFFINE: grid.affine.copy(),
            MetaKeys.ORIGINAL_AFFINE: grid.affine.copy(),
            MetaKeys.SPATIAL_SHAPE: np.asarray(grid.shape),
            MetaKeys.ORIGINAL_CHANNEL_DIM: 0,
            MetaKeys.SPACE: SpaceKeys.RAS,
            CHANNELS: ",".join(wanted),
            AT_HAND: ",".join(img.modalities),
            CASE_ID: img.case_id,
        }
        if img.mask is not None:
            meta[BRAIN_MASK] = (img.mask.values() > 0.5).astype(np.uint8)
        return stack, meta


class ToRegionsd(MapTransform):  # type: ignore[misc]
    """Label values (1, I, J, K) or (I, J, K) of a ``dialect`` → regions WT, TC, ET (3, I, J, K) bool.

    ``LabelError`` when a value is not one of the dialect's.
    """

    def __init__(self, keys: KeysCollection, dialect: str, allow_missing_keys: bool = False) -> None:
        super().__init__(keys, allow_missing_keys)
        self.dialect = get_dialect(dialect)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with each key's label map as regions."""
        d = dict(data)
        for key in self.key_iterator(d):
            labels = torch.as_tensor(d[key])
            values = labels.detach().cpu().numpy()
            values = values[0] if values.ndim == 4 and len(values) == 1 else values
            if values.ndim != 3:
                raise LabelError(f"key {key}: a label map must be (1, I, J, K) or (I, J, K), was {tuple(labels.shape)}")
            regions = torch.from_numpy(self.dialect.decode(values, f"key {key}")).to(labels.device)
            d[key] = MetaTensor(regions).copy_meta_from(labels) if isinstance(labels, MetaTensor) else regions
        return d


class PrepareStudyd(MapTransform, InvertibleTransform):  # type: ignore[misc]
    """``find_brain`` and ``prepare`` on the first key; the same crop, axes and spacing on the others.

    The first key is a study (C, I, J, K) with RAS mm ``affine``; ``modalities`` name its channels where no
    ``StudyReader`` read it. The other keys are regions or masks of 0 and 1 on its grid, such as ``ToRegionsd`` gives;
    after resampling they are cut at .5 and keep their type. The inverse returns each key to the source grid, 0 outside
    the crop: what is 0 and 1 stays so, anything else is interpolated linearly.
    """

    def __init__(
        self,
        keys: KeysCollection,
        preparation: Preparation | None = None,
        modalities: Sequence[Modality | str] | None = None,
        allow_missing_keys: bool = False,
    ) -> None:
        super().__init__(keys, allow_missing_keys)
        self.preparation = preparation or Preparation()
        self.modalities = None if modalities is None else _named("PrepareStudyd", modalities)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with its keys in the model frame."""
        d = dict(data)
        first, *others = self.keys
        if first not in d:
            raise UsageError(f"PrepareStudyd: the study {first!r} must be in the data, found {sorted(map(str, d))}")
        volume = d[first]
        study, channels = _study_of(volume, self.modalities)
        brain = find_brain(study)
        images, _, placement = prepare(study, brain, channels, self.preparation, str(volume.device))
        source = study.reference.grid
        d[first] = self._traced(images, volume, source, placement)
        for key in others:
            if key in d:
                d[key] = self._traced(
                    _regions_in_model_frame(d[key], source, placement, key), d[key], source, placement
                )
            elif not self.allow_missing_keys:
                raise UsageError(f"PrepareStudyd: {key!r} must be in the data, found {sorted(map(str, d))}")
        return d

    def inverse(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """``data`` with its keys in their source grids."""
        d = dict(data)
        for key in self.key_iterator(d):
            trace = self.pop_transform(d[key])[TraceKeys.EXTRA_INFO]
            d[key] = _placed_back(d[key], trace["placement"], torch.as_tensor(trace["affine"]))
        return d

    def _traced(self, result: Tensor, before: Tensor, source: Grid, placement: Placement) -> MetaTensor:
        affine = torch.from_numpy(source.affine @ model_to_source(placement))
        gone = (BRAIN_MASK, MetaKeys.AFFINE)
        meta = {key: value for key, value in getattr(before, "meta", {}).items() if key not in gone}
        operations = list(getattr(before, "applied_operations", []))
        traced = MetaTensor(result, affine=affine, meta=meta, applied_operations=operations)
        self.push_transform(
            traced, orig_size=source.shape, extra_info={"placement": placement, "affine": source.affine}
        )
        return traced


def model_to_source(placement: Placement) -> NDArray[np.float64]:
    """The 4x4 matrix from voxel indices of the model frame to those of the source grid."""
    matrix = np.zeros((4, 4))
    matrix[3, 3] = 1.0
    for axis, at in enumerate(placement.axes):
        have, want, scale = placement.cropped[axis], placement.resampled[axis], placement.scale[axis]
        start = (have - 1) / 2 - scale * (want - 1) / 2
        if placement.flips[axis]:
            start, scale = have - 1 - start, -scale
        matrix[at, axis] = scale
        matrix[at, 3] = placement.box[at].start + start
    return matrix


def _named(owner: str, names: Sequence[Modality | str]) -> tuple[Modality, ...]:
    """Modalities by any name that files may have (``t1ce``, ``T1Gd``, ``t2f``), each once; ``UsageError``."""
    found = [name if isinstance(name, Modality) else modality_of(str(name)) for name in names]
    known = tuple(modality for modality in found if modality is not None)
    if len(set(known)) < len(found):
        raise UsageError(
            f"{owner}: modalities must be some of {', '.join(Modality)}, or names for them such as t1ce, each once, "
            f"were {', '.join(map(str, names))}"
        )
    return known


def _case(item: Item) -> Case:
    if isinstance(item, Case):
        return item
    if isinstance(item, Mapping):
        names = _named("a study of {modality: file}", list(item))
        return Case(
            "by hand", {name: VolumeSource(Path(path)) for name, path in zip(names, item.values(), strict=True)}
        )
    if isinstance(item, str | Path):
        return _only_case(Path(item)) if Path(item).is_dir() else _case_of_files([Path(item)])
    if len(item) == 1:
        return _case(item[0])
    return _case_of_files([Path(path) for path in item])


def _only_case(folder: Path) -> Case:
    cases = find_cases(folder)
    if len(cases) != 1:
        raise UsageError(f"{folder}: must hold one case, holds {len(cases)}; give a Case of find_cases, or its files")
    return cases[0]


def _case_of_files(files: Sequence[Path]) -> Case:
    sources: dict[Modality, VolumeSource] = {}
    for file in files:
        modality = modality_of(stem_of(file))
        if modality is None or modality in sources:
            raise ModalityAmbiguous(
                f"{file}: its name must say one modality that no other file has; give {{modality: file}} or a Case"
            )
        sources[modality] = VolumeSource(file)
    return Case(files[0].resolve().parent.name, sources)


def _study_of(volume: Tensor, stated: tuple[Modality, ...] | None) -> tuple[Study, tuple[Modality, ...]]:
    """The study behind a (C, I, J, K) tensor, and what its channels are."""
    meta = getattr(volume, "meta", {})
    named = tuple(Modality(name) for name in str(meta.get(CHANNELS, "")).split(",") if name)
    channels = stated or named
    if not isinstance(volume, MetaTensor) or volume.ndim != 4 or len(channels) != len(volume):
        raise UsageError(
            f"PrepareStudyd: the study must be a MetaTensor (C, I, J, K) whose channels are named by StudyReader or by "
            f"modalities=, was {type(volume).__name__} {tuple(volume.shape)} with {len(channels)} names"
        )
    at_hand = set(str(meta[AT_HAND]).split(",")) if AT_HAND in meta else set(channels)
    grid = Grid.of(volume.shape[1:], np.asarray(volume.affine.cpu(), dtype=np.float64))
    values = volume.detach().cpu().numpy()
    volumes = {m: Volume(values[channel], grid) for channel, m in enumerate(channels) if m in at_hand}
    mask = meta.get(BRAIN_MASK)
    return Study(
        str(meta.get(CASE_ID, "")), volumes, None if mask is None else Volume(np.asarray(mask), grid)
    ), channels


def _regions_in_model_frame(label: Tensor, source: Grid, placement: Placement, key: Hashable) -> Tensor:
    if tuple(label.shape[1:]) != source.shape:
        raise GridMismatch(f"key {key}: must have the study's shape {source.shape}, was {tuple(label.shape[1:])}")
    if isinstance(label, MetaTensor):
        apart = source.displacement_mm(Grid.of(source.shape, np.asarray(label.affine.cpu())))
        if not source.same_as(Grid.of(source.shape, np.asarray(label.affine.cpu()))):
            raise GridMismatch(f"key {key}: must lie on the study's grid, its corners are {apart:.1f} mm away")
    values = label.as_tensor() if isinstance(label, MetaTensor) else torch.as_tensor(label)
    if not _is_binary(values):
        raise LabelError(f"key {key}: must be regions of 0 and 1; put ToRegionsd before PrepareStudyd")
    cropped = values[(slice(None), *placement.box)].float()
    return (to_model_frame(cropped, placement) > 0.5).to(values.dtype)


def _placed_back(result: MetaTensor, placement: Placement, affine: Tensor) -> MetaTensor:
    values = result.as_tensor()
    back = place_back(values.float(), placement)
    back = (back > 0.5).to(values.dtype) if _is_binary(values) else back
    whole = torch.zeros((len(back), *placement.source), dtype=back.dtype, device=back.device)
    whole[(slice(None), *placement.box)] = back
    meta = {key: value for key, value in result.meta.items() if key != MetaKeys.AFFINE}
    return MetaTensor(whole, affine=affine, meta=meta, applied_operations=list(result.applied_operations))


def _is_binary(values: Tensor) -> bool:
    return values.dtype == torch.bool or bool(((values == 0) | (values == 1)).all())
