"""Equal to the official scripts on seeded pairs; ``scripts/golden_lesions.py`` says how the values were made."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bratsseg.evaluation.lesion_rules import lesion_rules
from bratsseg.evaluation.lesions import LesionScores, score_lesions
from tests.evaluation.challenge_labels import masks_of

GOLDEN = Path(__file__).parent / "golden"
SOURCE = json.loads((GOLDEN / "source.json").read_text(encoding="utf-8"))
RUNS = SOURCE["runs"]
EXACT = 1e-6

Pair = tuple[np.ndarray, np.ndarray, tuple[float, ...]]


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    stored = np.load(GOLDEN / "pairs.npz")
    sizes = stored["shapes"].astype(int).prod(axis=1)
    planes = [np.unpackbits(plane, count=2 * int(sizes.sum())) << bit for bit, plane in enumerate(stored["planes"])]
    labels = np.split(np.bitwise_or.reduce(planes), np.cumsum(np.repeat(sizes, 2))[:-1])
    return [
        (labels[2 * n].reshape(shape), labels[2 * n + 1].reshape(shape), tuple(spacing.tolist()))
        for n, (shape, spacing) in enumerate(zip(stored["shapes"], stored["spacings"], strict=True))
    ]


@pytest.fixture(scope="module")
def official() -> dict[str, np.ndarray]:
    stored = np.load(GOLDEN / "official.npz")
    return {"scores": stored["scores"], "rows": stored["rows"]}


def score(pair: Pair, run: str) -> dict[str, LesionScores]:
    year, challenge = run.split("-")
    rules = lesion_rules(challenge, int(year))
    predicted, truth, spacing = pair
    return score_lesions(masks_of(predicted, rules), masks_of(truth, rules), spacing, rules)


def summed_up(scores: LesionScores) -> list[float]:
    means = [scores.dice, scores.hd95_mm, scores.nsd_05mm, scores.nsd_10mm]
    return [scores.found, scores.false_positives, scores.missed, *means]


def truth_rows(scores: dict[str, LesionScores]) -> np.ndarray:
    rows = [
        (place, row.number, row.volume_mm3, row.dice, row.hd95_mm, row.nsd_05mm, row.nsd_10mm, len(row.matched))
        for place, region in enumerate(scores.values())
        for row in region.lesions
        if row.kind != "false_positive"
    ]
    return np.array(rows, dtype=float).reshape(-1, 8)


@pytest.mark.parametrize("run", RUNS)
def test_equals_the_official_script(run: str, pairs: list[Pair], official: dict[str, np.ndarray]) -> None:
    place = RUNS.index(run)
    asked = {kind: table[table[:, 1] == place] for kind, table in official.items()}
    for number in np.unique(asked["scores"][:, 0]).astype(int):
        scores = score(pairs[number], run)
        wanted = {kind: table[table[:, 0] == number, 2:] for kind, table in asked.items()}
        case = f"pair {number}, {run}"
        found = [summed_up(region) for region in scores.values()]
        np.testing.assert_allclose(found, wanted["scores"], rtol=0, atol=EXACT, err_msg=case)
        np.testing.assert_allclose(truth_rows(scores), wanted["rows"], rtol=0, atol=EXACT, err_msg=case)


def test_the_pairs_hold_what_they_should(pairs: list[Pair], official: dict[str, np.ndarray]) -> None:
    assert len(pairs) == 200
    assert not SOURCE["crashes"]
    scores, rows = official["scores"], official["rows"]
    found, extra, missed = scores[:, 2], scores[:, 3], scores[:, 4]
    for enough in (found, extra, missed):
        assert np.count_nonzero(enough) > 200
    assert np.count_nonzero(found + extra + missed == 0) > 50
    assert np.count_nonzero(rows[:, -1] > 1) > 50, "lesions matched by several"
    for volume in (2, 10, 20, 50):
        assert np.count_nonzero(rows[:, 4] == volume) > 5, "lesions just too small"
    assert sum(len(set(spacing)) > 1 for *_, spacing in pairs) > 40
    empty = [(bool(predicted.any()), bool(truth.any())) for predicted, truth, _ in pairs]
    assert {(False, False), (False, True), (True, False), (True, True)} == set(empty)
