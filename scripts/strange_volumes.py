"""Volumes that are no brain, each drawn from a seed: what ``expects: brain`` must refuse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality
from bratsseg.study.volume import Study, Volume
from bratsseg.synthesis.generator import synthesize_patient

Array = NDArray[np.float64]
Rng = np.random.Generator
Made = tuple[Array, NDArray[np.bool_]] | tuple[Array, NDArray[np.bool_], float]
"""Intensities and where they are not air, (I, J, K), and the voxels' edge in mm where it is not ``MM``."""


def fractal(rng: Rng, shape: tuple[int, ...], slope: float) -> Array:
    """Noise whose amplitude falls with frequency to the power ``slope``, mean 0, deviation 1."""
    frequencies = np.sqrt(sum(np.meshgrid(*[np.fft.fftfreq(n) ** 2 for n in shape], indexing="ij")))
    spectrum = np.fft.fftn(rng.normal(size=shape)) / np.maximum(frequencies, 1 / max(shape)) ** slope
    made = np.fft.ifftn(spectrum).real
    found: Array = (made - made.mean()) / made.std()
    return found


def _mm(shape: tuple[int, ...], spacing: float) -> list[Array]:
    axes = [(np.arange(n) - (n - 1) / 2) * spacing for n in shape]
    return list(np.meshgrid(*axes, indexing="ij"))


def _ellipsoid(
    shape: tuple[int, ...], spacing: float, radii: tuple[float, ...], middle: tuple[float, ...] = (0, 0, 0)
) -> NDArray[np.bool_]:
    places = _mm(shape, spacing)
    return sum(((x - c) / r) ** 2 for x, c, r in zip(places, middle, radii, strict=False)) <= 1


SHAPE, MM = (120, 120, 100), 2.0


def _brainlike(rng: Rng) -> NDArray[np.bool_]:
    """A lumpy ovoid of a brain's size with a flat base."""
    lumps = ndimage.gaussian_filter(rng.normal(size=SHAPE), 6)
    places = _mm(SHAPE, MM)
    size = sum((x / r) ** 2 for x, r in zip(places, (68, 85, 66), strict=True))
    return (size + lumps / lumps.std() * 0.06 < 1) & (places[2] > -50)


def ball(rng: Rng) -> Made:
    inside = _ellipsoid(SHAPE, MM, (rng.uniform(50, 95),) * 3)
    return inside * 1.0, inside


def ball_shaded(rng: Rng) -> Made:
    inside = _ellipsoid(SHAPE, MM, (rng.uniform(50, 95),) * 3)
    x, y, z = _mm(SHAPE, MM)
    return (1 + 0.3 * np.sin(x / 40 + 1) + 0.003 * y - (x**2 + y**2 + z**2) / 40000) * inside, inside


def ball_noisy(rng: Rng) -> Made:
    inside = _ellipsoid(SHAPE, MM, (rng.uniform(50, 95),) * 3)
    return (1 + rng.uniform(0.01, 0.3) * rng.normal(size=SHAPE)) * inside, inside


def ellipsoid_shaded_noisy(rng: Rng) -> Made:
    inside = _ellipsoid(SHAPE, MM, (70, 88, 62))
    x, y, _ = _mm(SHAPE, MM)
    shade = 1 + rng.uniform(0.05, 0.3) * np.sin(x / rng.uniform(20, 50)) + rng.uniform(-0.003, 0.003) * y
    return (shade + rng.uniform(0.01, 0.1) * rng.normal(size=SHAPE)) * inside, inside


def shells(rng: Rng) -> Made:
    inside = _ellipsoid(SHAPE, MM, (70, 88, 62))
    inner = _ellipsoid(SHAPE, MM, (60, 76, 52))
    core = _ellipsoid(SHAPE, MM, (20, 30, 18))
    return (inside * 1.0 - inner * 0.3 + core * 0.4) * 1.0 + 0.02 * rng.normal(size=SHAPE) * inside, inside


def cube(rng: Rng) -> Made:
    inside = np.zeros(SHAPE, bool)
    inside[25:95, 25:95, 20:80] = True
    return (1 + rng.uniform(0, 0.2) * rng.normal(size=SHAPE)) * inside, inside


def checkerboard(rng: Rng) -> Made:
    n = int(rng.integers(4, 14))
    board = sum(np.indices(SHAPE)[a] // n for a in range(3)) % 2
    inside = np.zeros(SHAPE, bool)
    inside[15:105, 15:105, 10:90] = True
    return (0.2 + board) * inside, inside


def checkered_ball(rng: Rng) -> Made:
    n = int(rng.integers(3, 10))
    board = sum(np.indices(SHAPE)[a] // n for a in range(3)) % 2
    inside = _ellipsoid(SHAPE, MM, (70, 85, 66))
    return (0.5 + board + 0.03 * rng.normal(size=SHAPE)) * inside, inside


def noise_brain(rng: Rng) -> Made:
    inside = _brainlike(rng)
    return (3 + rng.normal(size=SHAPE)) * inside, inside


def smooth_noise_brain(rng: Rng) -> Made:
    inside = _brainlike(rng)
    return (4 + _unit(ndimage.gaussian_filter(rng.normal(size=SHAPE), rng.uniform(1.0, 5.0)))) * inside, inside


def fractal_brain(rng: Rng) -> Made:
    inside = _brainlike(rng)
    return (5 + fractal(rng, SHAPE, rng.uniform(1.2, 2.4))) * inside, inside


def _unit(x: Array) -> Array:
    return (x - x.mean()) / x.std()


def abdomen(rng: Rng) -> Made:
    shape = (160, 130, 80)
    mm = 2.5
    inside = _ellipsoid(shape, mm, (175, 125, 10000))
    made = inside * 0.5
    for middle, radii, level in (
        ((-70, 10, 20), (80, 70, 60), 1.0),
        ((90, -20, 20), (40, 35, 45), 0.8),
        ((60, -60, -20), (25, 25, 50), 1.3),
        ((-60, -60, -20), (25, 25, 50), 1.3),
        ((0, -80, 0), (22, 22, 1000), 0.2),
        ((30, 50, -10), (60, 35, 60), 0.3),
    ):
        made[_ellipsoid(shape, mm, radii, middle) & inside] = level
    return (made + 0.04 * rng.normal(size=shape)) * inside, inside, mm


def knee(rng: Rng) -> Made:
    shape = (80, 80, 110)
    inside = _ellipsoid(shape, MM, (62, 65, 10000))
    made = inside * 0.6
    made[_ellipsoid(shape, MM, (30, 28, 10000), (0, 5, 0))] = 1.2
    _, _, z = _mm(shape, MM)
    made[(np.abs(z) < 4) & inside] = 0.2
    return (made + 0.04 * rng.normal(size=shape)) * inside, inside


def spine(rng: Rng) -> Made:
    shape = (50, 60, 150)
    inside = _ellipsoid(shape, MM, (40, 50, 10000))
    _, _, z = _mm(shape, MM)
    made = inside * 0.4
    made[_ellipsoid(shape, MM, (20, 18, 10000), (0, 10, 0))] = 1.0
    made[(np.mod(z, 30) < 8) & _ellipsoid(shape, MM, (20, 18, 10000), (0, 10, 0))] = 0.3
    made[_ellipsoid(shape, MM, (7, 7, 10000), (0, -15, 0))] = 1.4
    return (made + 0.03 * rng.normal(size=shape)) * inside, inside


def half_filled(rng: Rng) -> Made:
    inside = np.zeros(SHAPE, bool)
    inside[:, :, : SHAPE[2] // 2] = True
    return (
        1 + rng.uniform(0.05, 0.4) * _unit(ndimage.gaussian_filter(rng.normal(size=SHAPE), rng.uniform(0, 3) + 0.01))
    ) * inside, inside


def gradient(rng: Rng) -> Made:
    x, y, _ = _mm(SHAPE, MM)
    made = 1 + (x - x.min()) / 240 + rng.uniform(0, 1) * (y - y.min()) / 240
    inside = np.zeros(SHAPE, bool)
    inside[2:-2, 2:-2, 2:-2] = True
    return made * inside, inside


def face(rng: Rng) -> Made:
    """A face in three dimensions: head, eyes, nose, mouth, each of one level."""
    inside = _ellipsoid(SHAPE, MM, (72, 85, 70))
    made = inside * 0.7
    for middle, radii, level in (
        ((-28, 45, 20), (12, 20, 10), 0.1),
        ((28, 45, 20), (12, 20, 10), 0.1),
        ((0, 60, -5), (7, 20, 14), 1.0),
        ((0, 50, -35), (30, 20, 6), 1.2),
    ):
        made[_ellipsoid(SHAPE, MM, radii, middle) & inside] = level
    return (made + rng.choice([0, 0.02, 0.05]) * rng.normal(size=SHAPE)) * inside, inside


def blobs(rng: Rng) -> Made:
    inside = _brainlike(rng)
    made = inside * 0.5
    for _ in range(40):
        middle = tuple(rng.uniform(-60, 60, 3))
        made[_ellipsoid(SHAPE, MM, (rng.uniform(5, 14),) * 3, middle) & inside] = rng.uniform(0.2, 1.2)
    return (made + 0.03 * rng.normal(size=SHAPE)) * inside, inside


def rods(rng: Rng) -> Made:
    """A quality phantom: a filled cylinder with rods and a grid."""
    x, y, z = _mm(SHAPE, MM)
    inside = (x**2 + y**2 < 90**2) & (np.abs(z) < 80)
    made = inside * 1.0
    for a in range(-60, 61, 20):
        for b in range(-60, 61, 20):
            made[((x - a) ** 2 + (y - b) ** 2 < rng.uniform(2, 6) ** 2) & inside] = 0.2
    return (made + 0.03 * rng.normal(size=SHAPE)) * inside, inside


def tiny(rng: Rng) -> Made:
    """A rodent's size."""
    inside = _ellipsoid((60, 80, 50), 0.25, (5, 7.5, 4.5))
    return (3 + fractal(rng, (60, 80, 50), 1.5)) * inside, inside, 0.25


def huge(rng: Rng) -> Made:
    inside = _ellipsoid(SHAPE, 5.0, (200, 260, 190))
    return (3 + fractal(rng, SHAPE, 1.5)) * inside, inside, 5.0


def liver(rng: Rng) -> Made:
    """One smooth ovoid with bright vessels in it."""
    x, y, z = _mm(SHAPE, MM)
    inside = ((x + 8) / 84) ** 2 + (y / 60) ** 2 + ((z + rng.uniform(0.1, 0.3) * x) / 56) ** 2 < 1
    vessels = _unit(ndimage.gaussian_filter(rng.normal(size=SHAPE), 3)) > 1.2
    return (1.5 + 0.8 * vessels + 0.08 * rng.normal(size=SHAPE)) * inside, inside


def lungs(rng: Rng) -> Made:
    """Two dark halves with bright vessels."""
    x, y, z = _mm(SHAPE, MM)
    inside = ((np.abs(x) - 44) / 34) ** 2 + (y / 56) ** 2 + (z / 76) ** 2 < 1
    vessels = _unit(ndimage.gaussian_filter(rng.normal(size=SHAPE), 1.5)) > rng.uniform(1, 1.6)
    return (0.65 + vessels + 0.04 * rng.normal(size=SHAPE)) * inside, inside


def walnut(rng: Rng) -> Made:
    """An ovoid of two greys in lumps."""
    inside = _ellipsoid(SHAPE, MM, (72, 88, 72))
    lumps = ndimage.gaussian_filter(rng.normal(size=SHAPE), rng.uniform(2, 4))
    return (1.3 + 0.6 * np.sign(lumps) + 0.04 * rng.normal(size=SHAPE)) * inside, inside


def orange(rng: Rng) -> Made:
    """A peel and segments."""
    x, y, z = _mm(SHAPE, MM)
    radius = (x / 72) ** 2 + (y / 80) ** 2 + (z / 72) ** 2
    segments = 1.6 + 0.5 * np.cos(int(rng.integers(8, 13)) * np.arctan2(y, x))
    return (np.where(radius > 0.75, 0.8, segments) + 0.04 * rng.normal(size=SHAPE)) * (radius < 1), radius < 1


def cylinder(rng: Rng) -> Made:
    """A quality phantom: a cylinder of water with bars, a wedge and a few holes at some heights."""
    x, y, z = _mm(SHAPE, MM)
    inside = (x**2 + y**2 < rng.uniform(70, 95) ** 2) & (np.abs(z) < 70)
    made = inside * 1.0
    made[(np.abs(x) < 60) & (np.abs(y) < 10) & (np.abs(z - 30) < 12)] = 0.2
    for a in range(-40, 41, 10):
        made[((x - a) ** 2 + (y - 30) ** 2 < 9) & (np.abs(z + 20) < 20)] = 0.3
    return (made + 0.05 * rng.normal(size=SHAPE)) * inside, inside


def _head(rng: Rng) -> tuple[Array, NDArray[np.bool_]]:
    """The FLAIR scan of a synthetic brain."""
    patient = synthesize_patient(int(rng.integers(1000)), 0, MM)
    brain = np.pad(patient.brain.numpy(), 2)
    return np.pad(np.maximum(patient.images[0].numpy(), 0.01), 2) * brain, brain


def two_brains(rng: Rng) -> Made:
    image, brain = _head(rng)
    return np.concatenate([image, image]), np.concatenate([brain, brain])


def shuffled(rng: Rng) -> Made:
    """A brain whose slices lie in random order."""
    image, brain = _head(rng)
    order = rng.permutation(image.shape[2])
    return image[:, :, order], brain[:, :, order]


def inverted(rng: Rng) -> Made:
    """A brain of which bright is dark."""
    image, brain = _head(rng)
    return (np.percentile(image, 99.9) * 1.05 - image).clip(0.01) * brain, brain


def half(rng: Rng) -> Made:
    image, brain = _head(rng)
    kept = np.arange(image.shape[0])[:, None, None] < image.shape[0] // 2
    return image * kept, brain & kept


VOLUMES: dict[str, Callable[[Rng], Made]] = {
    f.__name__: f
    for f in (
        ball,
        ball_shaded,
        ball_noisy,
        ellipsoid_shaded_noisy,
        shells,
        cube,
        checkerboard,
        checkered_ball,
        noise_brain,
        smooth_noise_brain,
        fractal_brain,
        abdomen,
        knee,
        spine,
        half_filled,
        gradient,
        face,
        blobs,
        rods,
        tiny,
        huge,
        liver,
        lungs,
        walnut,
        orange,
        cylinder,
        two_brains,
        shuffled,
        inverted,
        half,
    )
}


def volume_stranger(name: str, seed: int) -> Study:
    """One stranger as a study of one scan, or of four that differ in level and in noise of their own."""
    rng = np.random.default_rng((seed, 3))
    made = VOLUMES[name](rng)
    image, inside, spacing = made if len(made) == 3 else (*made, MM)
    grid = Grid.of(inside.shape, np.diag([spacing, spacing, spacing, 1.0]))
    kept = [Modality.FLAIR] if seed % 2 else list(Modality)
    volumes = {}
    for m in kept:
        wavy = (
            image
            if m is Modality.FLAIR
            else (image * rng.uniform(0.5, 2) + 0.01 * rng.normal(size=image.shape)) * inside
        )
        eight = seed % 4 < 2
        volumes[m] = Volume(
            np.clip(wavy / max(np.abs(wavy).max(), 1e-9) * 250, 0, 255).astype(np.uint8)
            if eight
            else (wavy * 400).astype(np.int16),
            grid,
        )
    return Study(f"{name}-{seed}", volumes)
