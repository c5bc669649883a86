"""Label maps of the challenges' own files, whose values the rules of lesion-wise scores name."""

from __future__ import annotations

import numpy as np

from bratsseg.evaluation.lesion_rules import LesionRules


def masks_of(labels: np.ndarray, rules: LesionRules) -> dict[str, np.ndarray]:
    """Label values (I, J, K) → bool arrays (I, J, K) by region."""
    return {name: np.isin(labels, rule.values) for name, rule in rules.regions.items()}
