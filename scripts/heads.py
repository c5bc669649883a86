"""Synthetic heads in every form in which scans arrive: what ``expects: brain`` must let pass."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn import functional as F

from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality
from bratsseg.study.volume import Study, Volume
from bratsseg.synthesis.generator import SynthesisConfig, synthesize_patient
from bratsseg.synthesis.head import HeadConfig
from bratsseg.synthesis.patient import SyntheticPatient
from bratsseg.synthesis.pictures import PictureConfig, take_pictures

Array = NDArray[np.float32]
SPACINGS_MM = (1.5, 1.5, 1.8, 2.0, 1.0)


def volume_head(seed: int, index: int) -> Study:
    """Head (seed, index) as a volume: stripped or under a mask, thick or thin, cropped, in some stored type."""
    rng = np.random.default_rng((seed, index, 1))
    masked = rng.random() < 0.15
    spacing = SPACINGS_MM[int(rng.integers(len(SPACINGS_MM)))]
    config = SynthesisConfig(head=HeadConfig()) if masked else SynthesisConfig()
    patient = synthesize_patient(seed, index, max(spacing, 1.5) if masked else spacing, config)
    images, brain = patient.images.numpy(), patient.brain.numpy()
    images = degraded(rng, images, brain)
    if rng.random() < 0.15:
        images = operated(rng, images, brain, patient.spacing[0])
    edges = np.array(patient.spacing)
    images, brain, edges = thickened(rng, images, brain, edges)
    images, brain = cropped(rng, images, brain)
    if rng.random() < 0.15:  # one scan whose field of view misses a part
        images[int(rng.integers(4)), :, :, : int(rng.uniform(0, 0.45) * brain.shape[2])] = 0
    if not masked:
        images = images * brain
    if rng.random() < 0.1:
        images, brain = _marked(rng, images, brain, edges)
    images, brain, affine = turned(rng, np.pad(images, [(0, 0)] + [(2, 2)] * 3), np.pad(brain, 2), edges)
    grid = Grid.of(brain.shape, affine)
    kind = ("int16", "zscore", "uint8", "float", "cut")[int(rng.integers(5))]
    kept = some_modalities(rng)
    volumes = {m: Volume(stored(rng, images[list(Modality).index(m)], brain, kind), grid) for m in kept}
    mask = Volume(brain.astype(np.uint8), grid) if masked else None
    return Study(f"head-{index}", volumes, mask=mask)


def degraded(rng: np.random.Generator, images: Array, brain: NDArray[np.bool_]) -> Array:
    """Noisier, blurrier, with other contrast or saturated: beyond what the generator draws."""
    images = images.copy()
    for m in range(4):
        if rng.random() < 0.3:
            images[m] = ndimage.gaussian_filter(images[m], rng.uniform(0.3, 1.0))
        if rng.random() < 0.3:
            images[m] += rng.normal(0, rng.uniform(0, 0.1), images[m].shape).astype(np.float32) * brain
        if rng.random() < 0.3:
            images[m] = np.clip(images[m], 0, None) ** rng.uniform(0.6, 1.7)
        if rng.random() < 0.15:
            images[m] = np.minimum(images[m], np.percentile(images[m][brain], rng.uniform(85, 99)))
    return images


def operated(rng: np.random.Generator, images: Array, brain: NDArray[np.bool_], spacing: float) -> Array:
    """A cavity of up to 50 mm radius, dark in all but T2."""
    where = np.argwhere(brain)
    middle = where.mean(0) + rng.uniform(-0.3, 0.3, 3) * np.ptp(where, axis=0)
    away = np.indices(brain.shape) - middle[:, None, None, None]
    cavity = (np.sqrt((away**2).sum(0)) * spacing < rng.uniform(25, 50)) & brain
    images = images.copy()
    for m, modality in enumerate(Modality):
        level = np.percentile(images[m][brain], 97 if modality is Modality.T2W else 3)
        images[m][cavity] = level * (1 + 0.04 * rng.normal(size=int(cavity.sum())))
    return images


def thickened(
    rng: np.random.Generator, images: Array, brain: NDArray[np.bool_], edges: NDArray[np.float64]
) -> tuple[Array, NDArray[np.bool_], NDArray[np.float64]]:
    """Slices of up to 10 mm, along any axis, most often the body's."""
    if rng.random() < 0.5:
        return images, brain, edges
    axis = int(rng.choice(3, p=[0.2, 0.15, 0.65]))
    step = max(1, round(rng.uniform(2.5, 10) / edges[axis]))
    count = images.shape[axis + 1] // step
    cut = np.moveaxis(images, axis + 1, -1)[..., : count * step]
    averaged = cut.reshape(*cut.shape[:-1], count, step).mean(-1)
    inside = np.moveaxis(brain, axis, -1)[..., : count * step].reshape(
        *np.moveaxis(brain, axis, -1).shape[:2], count, step
    )
    edges = edges.copy()
    edges[axis] *= step
    return np.moveaxis(averaged, -1, axis + 1), np.moveaxis(inside.mean(-1) > 0.5, -1, axis), edges


def cropped(rng: np.random.Generator, images: Array, brain: NDArray[np.bool_]) -> tuple[Array, NDArray[np.bool_]]:
    """Fields of view that miss the crown, the base, or a side."""
    box = ndimage.find_objects(brain.astype(np.uint8))[0]
    images, brain = images[(slice(None), *box)], brain[box]
    for axis, share, most in ((2, 0.4, 0.7), (1, 0.1, 0.25), (0, 0.1, 0.2)):
        if rng.random() < share:
            size = brain.shape[axis]
            lost = int(rng.uniform(0, most) * size)
            first = int(rng.integers(0, lost + 1))
            part = slice(first, size - (lost - first))
            images = images[(slice(None), *[part if a == axis else slice(None) for a in range(3)])]
            brain = brain[tuple(part if a == axis else slice(None) for a in range(3))]
    return images, brain


def _marked(
    rng: np.random.Generator, images: Array, brain: NDArray[np.bool_], edges: NDArray[np.float64]
) -> tuple[Array, NDArray[np.bool_]]:
    """Large letters burnt into all slices, as some programs mark the sides."""
    images, brain = images.copy(), brain.copy()
    wide, high = (max(1, round(rng.uniform(5, 11) / edge)) for edge in edges[:2])
    size = brain.shape
    for left in (0.05, 0.52):
        top, bottom = int(0.25 * size[1]), int(0.7 * size[1])
        first, last = int(left * size[0]), int((left + 0.4) * size[0])
        bars = [(slice(first, first + wide), slice(top, bottom)), (slice(first, last), slice(top, top + high))]
        if left > 0.5:
            bars += [(slice(last - wide, last), slice(top, bottom)), (slice(first, last), slice(bottom - high, bottom))]
        for bar in bars:
            for image in images:
                image[bar] = image.max()
            brain[bar] = True
    return images, brain


def turned(
    rng: np.random.Generator, images: Array, brain: NDArray[np.bool_], edges: NDArray[np.float64]
) -> tuple[Array, NDArray[np.bool_], NDArray[np.float64]]:
    """Any order and direction of the axes, with the affine that says so."""
    order = rng.permutation(3)
    affine = np.diag([*edges, 1.0])[:, [*order, 3]]
    images, brain = images.transpose(0, *(order + 1)), brain.transpose(*order)
    for axis in range(3):
        if rng.random() < 0.5:
            images, brain = np.flip(images, axis + 1), np.flip(brain, axis)
            affine[:, 3] += affine[:, axis] * (brain.shape[axis] - 1)
            affine[:, axis] *= -1
    return images, brain, affine


def stored(rng: np.random.Generator, image: Array, brain: NDArray[np.bool_], kind: str) -> NDArray[np.generic]:
    """One modality as int16, 8-bit, z-scored with air at what 0 becomes, or cut at both ends with air amid tissue."""
    top = max(float(np.percentile(image[brain], 99)), 1e-3)
    if kind == "int16":
        return np.clip(image / top * rng.choice([300, 1000, 4000, 20000]), 0, 32767).astype(np.int16)
    if kind == "uint8":
        return np.clip(image / top * rng.uniform(45, 250), 0, 255).astype(np.uint8)
    if kind == "zscore":
        return ((image - image[brain].mean()) / image[brain].std()).astype(np.float32)
    if kind == "cut":
        low, high = np.percentile(image[brain], (share := rng.uniform(1, 12), 100 - share))
        image = np.clip(image, low, high)
        scaled = (image - image[brain].mean()) / max(float(image[brain].std()), 1e-6)
        return np.where(brain, scaled, 0).astype(np.float32)
    return (image * np.float32(rng.uniform(0.5, 900))).astype(np.float32)


def some_modalities(rng: np.random.Generator) -> list[Modality]:
    """All four, or one, or some."""
    pick = rng.random()
    count = 4 if pick < 0.5 else 1 if pick < 0.75 else int(rng.integers(2, 4))
    return [list(Modality)[i] for i in sorted(rng.permutation(4)[:count])]


def picture_heads(seed: int, index: int, slices: int = 6) -> list[Study]:
    """Head (seed, index) as pictures: its stack, and some of its slices alone, those at both ends among them."""
    rng = np.random.default_rng((seed, index, 2))
    pictures = _stack(rng, seed, index)
    shape = pictures.shape
    seen = np.flatnonzero([(pictures[..., k] > 0.06).mean() > 0.003 for k in range(shape[-1])])
    found = [_as_study(rng, pictures[..., seen], f"stack-{index}")]
    ends = [seen[0], seen[-1], *seen[rng.integers(0, len(seen), slices - 2)]]
    return found + [_as_study(rng, pictures[..., k : k + 1], f"slice-{index}-{k}") for k in ends]


def _stack(rng: np.random.Generator, seed: int, index: int) -> Array:
    """(4, I, J, K) in 0..1, columns from left to right and rows from the forehead down."""
    stripped = rng.random() < 0.3
    config = PictureConfig(spacing_mm=1.8, frame_mm=(165.0, 300.0), offcentre_mm=18.0)
    head = None if stripped else HeadConfig()
    patient = synthesize_patient(seed, index, 1.8, SynthesisConfig(head=head))
    if rng.random() < 0.25:
        patient = _from_another_side(rng, patient)
    images = take_pictures(patient, seed, index, config).images
    thick = max(1, round(rng.uniform(1, 7) / 1.8))
    images = images[..., int(rng.integers(thick)) :: thick]
    size = int(rng.choice([96, 128, 192, 256, 256, 320, 512]))
    if size != images.shape[1]:
        images = F.interpolate(images.permute(3, 0, 1, 2), (size, size), mode="bilinear", antialias=True).permute(
            1, 2, 3, 0
        )
    made = images.numpy()
    if rng.random() < 0.3:
        made = made + rng.normal(0, rng.uniform(0, 0.03), made.shape).astype(np.float32)
    return np.clip(_on_noisy_ground(rng, made) if rng.random() < 0.25 else made, 0, 1)


def _on_noisy_ground(rng: np.random.Generator, images: Array) -> Array:
    """Each modality with air that is a few grey levels of noise, in a field of view narrower than the black frame."""
    seen = np.zeros(images.shape[1:3], dtype=np.float32)
    lost = int(rng.uniform(0, 0.2) * seen.shape[0])
    seen[lost : seen.shape[0] - lost] = 1
    made = np.empty_like(images)
    for m, image in enumerate(images):
        level = rng.uniform(1, 7) / 255
        floor = level + rng.normal(0, 0.25 * level, image.shape).astype(np.float32)
        made[m] = np.hypot(image, floor) * seen[..., None]
    return made


def _from_another_side(rng: np.random.Generator, patient: SyntheticPatient) -> SyntheticPatient:
    """Coronal or sagittal pictures of the patient, the crown up."""
    order = (0, 2, 1) if rng.random() < 0.5 else (1, 2, 0)

    def turn(x: torch.Tensor) -> torch.Tensor:
        lead = x.ndim - 3
        return x.permute(*range(lead), *(lead + a for a in order)).contiguous()

    return replace(patient, images=turn(patient.images), regions=turn(patient.regions), brain=turn(patient.brain))


def _as_study(rng: np.random.Generator, images: Array, name: str) -> Study:
    """As 8-bit pictures, perhaps turned, widened, written upon or tightly cut."""
    images = images.copy()
    if rng.random() < 0.3:
        images = np.flip(images, 1 + int(rng.integers(2)))
    if rng.random() < 0.2:
        images = images.transpose(0, 2, 1, 3)
    if rng.random() < 0.2:
        images = _tight(images)
    if rng.random() < 0.2:
        pad = int(rng.uniform(0, 0.35) * images.shape[1])
        images = np.stack(
            [np.pad(image, [(pad, pad), (0, 0), (0, 0)], constant_values=_air(image)) for image in images]
        )
    if rng.random() < 0.2:
        _write_upon(rng, images)
    if rng.random() < 0.3:
        for m in range(4):
            for k in range(images.shape[-1]):
                top = images[m, ..., k].max()
                images[m, ..., k] /= top if top > 0.15 else 1
    grid = Grid.of(images.shape[1:], np.eye(4), physical=False)
    first = [Modality.FLAIR]
    kept = first if rng.random() < 0.5 else [Modality.FLAIR, Modality.T1N, Modality.T1C]
    eight = np.clip(np.rint(images * 255), 0, 255).astype(np.uint8)
    return Study(name, {m: Volume(eight[list(Modality).index(m)], grid) for m in kept})


def _air(image: Array) -> float:
    """The value of a modality's darker corners."""
    return float(np.median(image[:4, :4]))


def _tight(images: Array) -> Array:
    """Cut to the head's own box, as pictures on teaching pages are."""
    seen = (images > 0.12).any((0, 3))
    if not seen.any():
        return images
    box = ndimage.find_objects(seen.astype(np.uint8))[0]
    cut = images[(slice(None), *box)]
    return cut if min(cut.shape[1:3]) > 40 else images


def _write_upon(rng: np.random.Generator, images: Array) -> None:
    """Lines of small bright strokes in two corners, as viewers print names and dates."""
    _, w, h, _ = images.shape
    for corner in range(2):
        for line in range(3):
            y = int((0.03 + 0.035 * line) * h) if corner == 0 else h - 1 - int((0.03 + 0.035 * line) * h)
            strokes = rng.random(int(0.22 * w)) < 0.5
            images[:, 2 : 2 + len(strokes), y : y + max(1, h // 90), :] = np.maximum(
                images[:, 2 : 2 + len(strokes), y : y + max(1, h // 90), :], strokes[None, :, None, None] * 0.8
            )
