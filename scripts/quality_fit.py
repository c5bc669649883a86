"""Fit what a model keeps for its quality figures: how Dice is predicted, and which cases are to be reviewed first.

The predictor is a logistic function of four figures of doubt (``bratsseg.inference.quality``), fitted to true Dice as a
fractional outcome (Papke & Wooldridge, doi:10.1002/(SICI)1099-1255(199611)11:6<619::AID-JAE418>3.0.CO;2-1), with a
small pull towards the Soft Dice Confidence that it starts from, and with signs that hold it monotone. Differences of
a coefficient count in the pull as far as its figure varies from case to case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from bratsseg.inference.quality import DicePredictor, Doubt, log_odds
from bratsseg.study.quality import Answer, RegionQuality, ReviewRule

FIELDS = ("intercept", "soft_dice", "certainty", "stability", "boundary_entropy")
BOUNDS = ((None, None), (0, None), (0, None), (0, None), (None, 0))
PULL = 0.01
"""Weight of the squared distance from the Soft Dice Confidence, against the mean cross-entropy of a case."""
FOLDS = 5
POOR = 0.7
"""A whole tumour with a lower true Dice is one that the review is to find."""
WANTED = 0.8
"""The share of these that it must find."""
BELOW = np.arange(0.3, 0.99, 0.01)
MISSED = (0.05, 0.1, 0.15, 0.2)
"""Never higher: missed tumours are few in a set, and no reason to trust an empty answer that is not sure of itself."""
Figures = NDArray[np.float64]


def fit(doubts: Sequence[Doubt], dice: Figures) -> DicePredictor:
    """The predictor of the cases with these doubts and true Dice (N,)."""
    start = np.array([getattr(DicePredictor(), field) for field in FIELDS])
    columns = np.array([_columns(doubt) for doubt in doubts])
    spread = np.maximum(columns.std(0), 0.01)
    spread[0] = 1.0

    def loss(weights: Figures) -> float:
        odds = columns @ weights
        return float(np.mean(np.logaddexp(0, odds) - dice * odds) + PULL * np.sum(((weights - start) * spread) ** 2))

    found = minimize(loss, start, method="L-BFGS-B", bounds=BOUNDS).x
    return DicePredictor(**{field: round(float(value), 4) for field, value in zip(FIELDS, found, strict=True)})


def held_out(doubts: Sequence[Doubt], dice: Figures, patients: NDArray[np.int_]) -> Figures:
    """Of each case (N,) the Dice that is predicted by a fit which did not see its patient."""
    predicted = np.zeros(len(doubts))
    for fold in range(FOLDS):
        seen, other = (np.flatnonzero((patients % FOLDS == fold) == side) for side in (False, True))
        if len(seen) and len(other):
            predictor = fit([doubts[n] for n in seen], dice[seen])
            predicted[other] = [predictor.predict(doubts[n]) for n in other]
    return predicted


def _columns(doubt: Doubt) -> tuple[float, ...]:
    soft, certainty, stability, entropy = astuple(doubt)
    return 1.0, log_odds(soft), log_odds(certainty), log_odds(stability), entropy


@dataclass(frozen=True)
class Review:
    """What a rule takes of a set of cases."""

    rule: ReviewRule
    flagged: int
    found: int
    poor: int
    cases: int

    def __str__(self) -> str:
        share = self.flagged / self.cases if self.cases else 0.0
        return (
            f"below {self.rule.below:g}, missed above {self.rule.missed_above:g}: takes {self.flagged} of "
            f"{self.cases} cases ({share:.0%}), among these {self.found} of the {self.poor} with WT below {POOR:g}"
        )


def reviewed(rule: ReviewRule, whole: Sequence[RegionQuality], dice: Figures) -> Review:
    """What ``rule`` takes of cases with these figures and true Dice (N,) of the whole tumour."""
    flagged, poor = np.array([bool(rule.reason(each)) for each in whole], dtype=bool), dice < POOR
    return Review(rule, int(flagged.sum()), int((flagged & poor).sum()), int(poor.sum()), len(dice))


def choose_review(whole: Sequence[RegionQuality], dice: Figures) -> Review:
    """The rule that takes fewest cases while it finds ``WANTED`` of the poor ones; of equals the best finder."""
    tried = [
        reviewed(ReviewRule(below=round(float(below), 2), missed_above=missed), whole, dice)
        for below in BELOW
        for missed in MISSED
    ]
    enough = [each for each in tried if each.found >= WANTED * each.poor] or tried
    return min(enough, key=lambda each: (each.flagged, -each.found, -each.rule.missed_above))


def figures_of(predicted: float | None, missed: float | None) -> RegionQuality:
    """The figures of a whole tumour that a rule looks at."""
    answer = Answer.NONE_FOUND if predicted is None else Answer.FOUND
    return RegionQuality(answer=answer, predicted_dice=predicted, missed_chance=missed)
