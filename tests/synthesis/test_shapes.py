from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from bratsseg.errors import ConfigError
from bratsseg.synthesis.shapes import REACH_MM, ROOM, STEP_MM, Shapes, cleaned

EDEMA, CORE, ENHANCING = 1, 2, 3


def ball(shape: tuple[int, int, int], centre: tuple[float, float, float], radius: float) -> np.ndarray:
    index = np.indices(shape)
    return sum((axis - c) ** 2 for axis, c in zip(index, centre, strict=True)) <= radius**2


def tumour(radius: int = 18, rim: float = 2.0) -> np.ndarray:
    """Edema, in it a ball of core, whose outer ``rim`` mm enhance."""
    size = (2 * radius + 1,) * 3
    middle = (float(radius),) * 3
    labels = ball(size, middle, radius).astype(np.uint8)
    labels[ball(size, middle, radius / 2)] = ENHANCING
    labels[ball(size, middle, radius / 2 - rim)] = CORE
    return labels


def write(path: Path, maps: list[np.ndarray], corner: tuple[int, int, int] = (130, 90, 60), **changed: object) -> Path:
    boxes = np.array([m.shape for m in maps])
    arrays: dict[str, object] = {
        "names": np.array([f"m{n}" for n in range(len(maps))]),
        "low": np.tile(np.array(corner, np.int16), (len(maps), 1)),
        "high": (np.array(corner) + boxes).astype(np.int16),
        "start": np.concatenate([[0], boxes.prod(1).cumsum()]),
        "labels": np.concatenate([m.ravel() for m in maps]).astype(np.uint8),
    }
    arrays |= changed
    np.savez_compressed(path, **{key: value for key, value in arrays.items() if value is not None})  # type: ignore[arg-type]
    return path


def test_a_map_is_found_in_its_signed_distances(tmp_path: Path) -> None:
    labels = tumour()
    shape = Shapes(write(tmp_path / "s.npz", [labels])).shape(0)
    inner = (slice(None), *(slice(ROOM, -ROOM) for _ in range(3)))
    assert np.array_equal(shape.signed[inner] < 0, [labels > 0, labels >= CORE, labels == ENHANCING])
    assert (shape.signed[1] >= shape.signed[0]).all()
    assert (shape.signed[2] >= shape.signed[1])[shape.signed[2] < REACH_MM[2] / STEP_MM].all()
    assert shape.centre == pytest.approx((148, 108, 78))
    middle = shape.signed[0, 24, 24, 24] * STEP_MM
    assert middle == pytest.approx(-REACH_MM[0], abs=STEP_MM)


def test_a_map_opened_again_is_the_same(tmp_path: Path) -> None:
    shapes = Shapes(write(tmp_path / "s.npz", [tumour(), tumour(12)]))
    first, again = shapes.shape(1), shapes.shape(1)
    assert np.array_equal(first.signed, again.signed)
    assert (first.low, first.mm3, first.core_centre) == (again.low, again.mm3, again.core_centre)


def test_specks_go_and_the_rest_stays() -> None:
    labels = tumour()
    with_speck = np.pad(labels, 6)
    with_speck[0:2, 0:2, 0:2] = EDEMA
    with_speck[10, 24, 24] = ENHANCING
    kept = cleaned(with_speck)
    assert ndimage.label(kept[0], np.ones((3, 3, 3)))[1] == 1
    assert np.array_equal(kept[2], np.pad(labels, 6) == ENHANCING)


def test_a_speck_of_enhancement_in_a_large_core_is_dropped() -> None:
    labels = tumour()
    labels[labels == ENHANCING] = CORE
    labels[16:19, 16:19, 16:19] = ENHANCING
    whole, core, enhancing = cleaned(labels)
    assert not enhancing.any()
    assert np.array_equal(core, labels >= CORE)
    assert np.array_equal(whole, labels > 0)


def test_maps_without_enhancement_are_drawn_oftener(tmp_path: Path) -> None:
    dark = tumour()
    dark[dark == ENHANCING] = CORE
    shapes = Shapes(write(tmp_path / "s.npz", [tumour(), dark, np.ones((3, 3, 3), np.uint8)]))
    assert shapes.weights(2.5).tolist() == [1.0, 2.5, 0.0]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"low": None}, "lacks low"),
        ({"start": np.array([0, 5])}, "start must follow"),
        ({"low": np.zeros((2, 3), np.int16)}, "must fit its 1 names"),
        ({"labels": np.full(37**3, 4, np.uint8)}, "from 0 to 3"),
        ({"labels": np.zeros(37**3, np.uint8)}, "holds none"),
    ],
)
def test_a_file_that_does_not_agree_is_refused(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Shapes(write(tmp_path / "s.npz", [tumour()], **changed))


def test_no_file_and_another_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="readable file"):
        Shapes(tmp_path / "absent.npz")
    (tmp_path / "text.npz").write_text("no archive")
    with pytest.raises(ConfigError, match="with the arrays names, low"):
        Shapes(tmp_path / "text.npz")


def test_maps_are_left_out_for_tests(tmp_path: Path) -> None:
    shapes = Shapes(write(tmp_path / "s.npz", [tumour(), tumour(12), tumour(14)]))
    trained, tested = (np.flatnonzero(shapes.weights(1.0, 3, taken)) for taken in ((0, 2), (1,)))
    assert trained.tolist() == [0, 2]
    assert tested.tolist() == [1]
    with pytest.raises(ConfigError, match="must hold a tumour"):
        shapes.weights(1.0, 9, (8,))
