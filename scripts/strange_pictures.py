"""Pictures that are no brain, each drawn from a seed: what ``expects: brain`` must refuse."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from strange_volumes import fractal

from bratsseg.study.grid import Grid
from bratsseg.study.modality import Modality
from bratsseg.study.volume import Study, Volume
from bratsseg.synthesis.generator import synthesize_patient

Array = NDArray[np.float64]
Rng = np.random.Generator


def _page(rng: Rng, size: tuple[int, int], ink: float, paper: float) -> Array:
    page = np.full(size[::-1], paper)
    step = max(6, size[1] // int(rng.integers(18, 40)))
    for y in range(step, size[1] - step, step):
        x = step
        while x < size[0] - step:
            word = int(rng.integers(2, 9)) * step // 3
            for c in range(x, min(x + word, size[0] - step), max(3, step // 3)):
                w = max(1, step // 5)
                for _ in range(3):
                    a, b = y + int(rng.integers(0, step // 2 + 1)), c + int(rng.integers(0, w + 1))
                    if rng.random() < 0.5:
                        page[a : a + 1 + step // 12, b : b + w + 1] = ink
                    else:
                        page[y : y + step // 2, b : b + 1 + step // 12] = ink
            x += word + step // 2
    return page


def _text(rng: Rng) -> Array:
    size = [(256, 256), (600, 800), (420, 300)][int(rng.integers(3))]
    page = _page(rng, size, 0.05, 0.97)
    return page + 0.02 * rng.normal(size=page.shape) * (rng.random() < 0.5)


def _text_dark(rng: Rng) -> Array:
    return _page(rng, (400, 400), 0.9, 0.04)


def _gradient(rng: Rng) -> Array:
    y, x = np.mgrid[0:256, 0:256] / 255
    a = rng.uniform(0, 2 * np.pi)
    ramp = x * np.cos(a) + y * np.sin(a)
    return (ramp - ramp.min()) / np.ptp(ramp)


def _radial(rng: Rng) -> Array:
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    return np.clip(1 - np.hypot(x, y * rng.uniform(0.8, 1.2)), 0, 1)


def _strip(rng: Rng) -> Array:
    strip = rng.random((1, 256)) if rng.random() < 0.5 else np.linspace(0, 1, 256)[None]
    return strip if rng.random() < 0.5 else strip.T


def _small(rng: Rng) -> Array:
    return rng.random((8, 8))


def _checker(rng: Rng) -> Array:
    n = int(rng.integers(4, 40))
    y, x = np.mgrid[0:256, 0:256]
    return ((x // n + y // n) % 2) * 0.9


def _noise(rng: Rng) -> Array:
    return rng.random((256, 256))


def _noise_disc(rng: Rng) -> Array:
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    return (np.hypot(x / 0.7, y / 0.85) < 1) * (0.5 + 0.15 * rng.normal(size=(256, 256)))


def _disc(rng: Rng) -> Array:
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    return (np.hypot(x / 0.7, y / 0.85) < 1) * 0.7


def _disc_shaded(rng: Rng) -> Array:
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    return (np.hypot(x / 0.7, y / 0.85) < 1) * (0.6 + 0.3 * x + rng.uniform(0, 0.06) * rng.normal(size=(256, 256)))


def _face(rng: Rng) -> Array:
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    dark = rng.random() < 0.7
    skin, ground = (0.8, 0.0) if dark else (0.9, 1.0)
    made = np.where(np.hypot(x / 0.7, y / 0.85) < 1, skin, ground)
    for a, b, r in ((-0.28, -0.25, 0.1), (0.28, -0.25, 0.1), (0, 0.05, 0.05)):
        made[np.hypot(x - a, y - b) < r] = 0.1
    mouth = np.hypot(x / 0.4, (y - 0.25) / 0.3)
    made[(mouth < 1) & (mouth > 0.8) & (y > 0.3)] = 0.15
    outline = np.abs(np.hypot(x / 0.7, y / 0.85) - 1) < 0.02
    made[outline] = 0.1 if not dark else 0.9
    made = ndimage.gaussian_filter(made, rng.uniform(0, 1.5))
    return made + rng.choice([0, 0.01, 0.03]) * rng.normal(size=made.shape)


def _fractal(rng: Rng) -> Array:
    made = fractal(rng, (256, 256), rng.uniform(1.0, 2.5))
    return np.clip(0.5 + 0.18 * made, 0, 1)


def _fractal_disc(rng: Rng) -> Array:
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    return np.clip(0.5 + 0.15 * fractal(rng, (256, 256), rng.uniform(1.0, 2.2)), 0, 1) * (
        np.hypot(x / 0.7, y / 0.85) < 1
    )


def _bars(rng: Rng) -> Array:
    made = np.full((300, 400), 1.0 if rng.random() < 0.5 else 0.05)
    for i in range(8):
        made[300 - int(rng.uniform(30, 270)) : 290, 20 + 45 * i : 50 + 45 * i] = rng.uniform(0.2, 0.8)
    return made


def _qr(rng: Rng) -> Array:
    n = int(rng.integers(21, 45))
    code = np.kron((rng.random((n, n)) < 0.5) * 1.0, np.ones((7, 7)))
    return np.pad(code, 28, constant_values=1.0 if rng.random() < 0.7 else 0.0)


def _white(rng: Rng) -> Array:
    return np.clip(0.99 + 0.006 * rng.normal(size=(256, 256)), 0, 1)


def _black(rng: Rng) -> Array:
    return np.clip(0.01 + 0.006 * rng.normal(size=(256, 256)), 0, 1)


def _histology(rng: Rng) -> Array:
    made = np.full((256, 256), 0.8)
    y, x = np.mgrid[0:256, 0:256]
    for _ in range(300):
        a, b, r = rng.uniform(0, 256), rng.uniform(0, 256), rng.uniform(2, 6)
        made[np.hypot(x - a, y - b) < r] = rng.uniform(0.2, 0.5)
    return ndimage.gaussian_filter(made, 0.7) + 0.03 * fractal(rng, (256, 256), 1.2)


def _cells(rng: Rng) -> Array:
    made = np.zeros((256, 256))
    y, x = np.mgrid[0:256, 0:256]
    for _ in range(int(rng.integers(20, 80))):
        a, b, r = rng.uniform(0, 256), rng.uniform(0, 256), rng.uniform(4, 12)
        made[np.hypot(x - a, y - b) < r] = rng.uniform(0.4, 1)
    return ndimage.gaussian_filter(made, 0.7) + 0.01 * rng.normal(size=(256, 256))


def _landscape(rng: Rng) -> Array:
    sky = np.linspace(0.9, 0.6, 128)[:, None] * np.ones((1, 256))
    ground = 0.35 + 0.12 * fractal(rng, (128, 256), 1.2)
    return np.clip(np.concatenate([sky, ground]), 0, 1)


def _hand(rng: Rng) -> Array:
    y, x = np.mgrid[0:256, 0:256]
    made = np.hypot((x - 128) / 55, (y - 180) / 50) < 1
    for i in range(5):
        made |= (np.abs(x - (70 + 29 * i)) < 9) & (y > 30 + 12 * abs(i - 2)) & (y < 170)
    return ndimage.gaussian_filter(made * 0.5, 2) + 0.1 * made * np.clip(fractal(rng, (256, 256), 1.5), -2, 2)


def _chest(rng: Rng) -> Array:
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    made = (
        0.75 - 0.55 * (np.hypot((x + 0.42) / 0.32, y / 0.65) < 1) - 0.55 * (np.hypot((x - 0.42) / 0.32, y / 0.65) < 1)
    )
    made += 0.15 * (np.mod(y + 0.3 * np.abs(x), 0.22) < 0.06)
    return np.clip(ndimage.gaussian_filter(made, 2) + 0.02 * rng.normal(size=(256, 256)), 0, 1)


def _abdomen(rng: Rng) -> Array:
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    made = (np.hypot(x / 0.92, y / 0.66) < 1) * 0.45
    for a, b, r, s, v in (
        (-0.4, -0.05, 0.38, 0.35, 0.7),
        (0.5, 0, 0.2, 0.2, 0.6),
        (0.3, 0.3, 0.13, 0.12, 0.9),
        (-0.3, 0.3, 0.13, 0.12, 0.9),
        (0, 0.42, 0.12, 0.12, 0.2),
    ):
        made[np.hypot((x - a) / r, (y - b) / s) < 1] = v
    return made + (made > 0) * 0.03 * rng.normal(size=(256, 256))


def _stripes(rng: Rng) -> Array:
    y, x = np.mgrid[0:256, 0:256]
    a = rng.uniform(0, np.pi)
    return 0.5 + 0.4 * np.sin((x * np.cos(a) + y * np.sin(a)) / rng.uniform(2, 15))


def _rings(rng: Rng) -> Array:
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    r = np.hypot(x, y)
    return (r < 0.85) * (0.5 + 0.4 * np.sin(r * rng.uniform(10, 60)))


def _oval(x: Array, y: Array, width: float, height: float, at: tuple[float, float] = (0, 0)) -> NDArray[np.bool_]:
    return np.asarray(np.hypot((x - at[0]) / width, (y - at[1]) / height) < 1)


def _lumps(rng: Rng, size: float) -> Array:
    made = ndimage.gaussian_filter(rng.normal(size=(256, 256)), size)
    return np.asarray(made / made.std())


def _axes() -> tuple[Array, Array]:
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    return x, y


def _walnut(rng: Rng) -> Array:
    made = (0.5 + 0.3 * np.sign(_lumps(rng, rng.uniform(3, 7)))) * _oval(*_axes(), 0.7, 0.67)
    return np.asarray(ndimage.gaussian_filter(made, rng.uniform(0.5, 2)))


def _lumpy_ball(rng: Rng) -> Array:
    return (0.6 + 0.12 * _lumps(rng, rng.uniform(2, 5))) * _oval(*_axes(), 0.7, rng.uniform(0.6, 0.8))


def _liver(rng: Rng) -> Array:
    made = (0.5 + 0.24 * (_lumps(rng, 3) > rng.uniform(0.3, 1.3))) * _oval(*_axes(), 0.75, 0.5)
    return np.clip(ndimage.gaussian_filter(made, 1) + 0.012 * rng.normal(size=made.shape), 0, 1)


def _knee(rng: Rng) -> Array:
    x, y = _axes()
    inside = _oval(x, y, 0.62, 0.78)
    made = inside * 0.35
    made[_oval(x, y, 0.47, 0.28, (0, -0.45))] = 0.8
    made[_oval(x, y, 0.43, 0.35, (0, 0.4))] = 0.75
    made[np.abs(y + 0.08) < 0.05] *= 1.5
    return np.clip(ndimage.gaussian_filter(made, 2) + 0.03 * inside * rng.normal(size=made.shape), 0, 1)


def _orange(rng: Rng) -> Array:
    x, y = _axes()
    inside = _oval(x, y, 0.7, 0.67)
    made = np.where(inside, 0.67 + 0.16 * np.cos(int(rng.integers(8, 14)) * np.arctan2(y, x)), 0)
    made[inside & ~_oval(x, y, 0.58, 0.56)] = 0.35
    return np.clip(ndimage.gaussian_filter(made, 1.2) + 0.03 * inside * rng.normal(size=made.shape), 0, 1)


def _face_rough(rng: Rng) -> Array:
    """A drawn face, blurred, with noise or with texture."""
    face = np.clip(_face(rng), 0, 1)
    rough = rng.normal(size=face.shape) * 0.05 if rng.random() < 0.5 else 0.06 * _lumps(rng, 2)
    return np.clip(ndimage.gaussian_filter(face, 2) + (face > 0.05) * rough, 0, 1)


def _brain(rng: Rng) -> Array:
    """An axial FLAIR slice of a synthetic brain, rows first."""
    patient = synthesize_patient(int(rng.integers(1000)), 0, 1.8)
    image = patient.images[0].numpy() * patient.brain.numpy()
    plane = np.pad(image[:, :, int(rng.uniform(0.45, 0.65) * image.shape[2])].T[::-1], 8)
    return np.asarray(np.clip(plane / np.percentile(plane, 99.8), 0, 1), dtype=np.float64)


def _half(rng: Rng) -> Array:
    brain = _brain(rng)
    brain[:, brain.shape[1] // 2 :] = 0
    return brain


def _two_brains(rng: Rng) -> Array:
    brain = _brain(rng)
    return np.concatenate([brain, brain], axis=1)


def _four_brains(rng: Rng) -> Array:
    brain = _brain(rng)
    return np.concatenate([np.concatenate([brain, brain], axis=1)] * 2)


PICTURES: dict[str, Callable[[Rng], Array]] = {
    f.__name__.removeprefix("_"): f
    for f in (
        _text,
        _text_dark,
        _gradient,
        _radial,
        _strip,
        _small,
        _checker,
        _noise,
        _noise_disc,
        _disc,
        _disc_shaded,
        _face,
        _fractal,
        _fractal_disc,
        _bars,
        _qr,
        _white,
        _black,
        _histology,
        _cells,
        _landscape,
        _hand,
        _chest,
        _abdomen,
        _stripes,
        _rings,
        _walnut,
        _lumpy_ball,
        _liver,
        _knee,
        _orange,
        _face_rough,
        _half,
        _two_brains,
        _four_brains,
    )
}


def picture_stranger(name: str, seed: int) -> Study:
    """One stranger as a picture, in one channel or in three of other levels."""
    rng = np.random.default_rng((seed, 4))
    page = PICTURES[name](rng)
    if page.shape[0] > 20 and rng.random() < 0.4:
        page = ndimage.gaussian_filter(page, rng.uniform(0, 1))
    if page.shape[0] > 200 and rng.random() < 0.3:
        page = ndimage.zoom(page, rng.uniform(0.3, 0.6), order=1)
    kept = [Modality.FLAIR] if seed % 2 else [Modality.FLAIR, Modality.T1N, Modality.T1C]
    volumes = {}
    grid = Grid.of((page.shape[1], page.shape[0], 1), np.eye(4), physical=False)
    for m in kept:
        level = 1.0 if m is Modality.FLAIR else rng.uniform(0.5, 1.0)
        volumes[m] = Volume(np.clip(np.rint(page.T * level * 255), 0, 255).astype(np.uint8)[:, :, None], grid)
    return Study(f"{name}-{seed}", volumes)
