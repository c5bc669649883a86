from __future__ import annotations

import numpy as np
import pytest

from bratsseg.evaluation.classes import class_table
from bratsseg.study.regions import Region


def nested(values: np.ndarray) -> dict[Region, np.ndarray]:
    return {region: values >= level for level, region in enumerate(Region, start=1)}


def test_equals_scikit_learn_where_every_class_occurs():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    ours, theirs = rng.integers(0, 4, (2, 6, 7, 8))
    table = class_table(nested(ours), nested(theirs))
    assert table.names == ("background", "WT without TC", "TC without ET", "ET")
    np.testing.assert_array_equal(table.counts, metrics.confusion_matrix(theirs.ravel(), ours.ravel()))
    expected = metrics.precision_recall_fscore_support(theirs.ravel(), ours.ravel())
    found = np.array([[row.precision, row.recall, row.f1, row.support] for row in table.scores()]).T
    np.testing.assert_allclose(found, expected)


def test_counts_by_hand_and_what_finding_nothing_scores():
    theirs = np.array([0, 0, 0, 1, 1, 2]).reshape(1, 2, 3)
    ours = np.array([0, 0, 1, 1, 2, 0]).reshape(1, 2, 3)
    table = class_table(nested(ours), nested(theirs))
    assert table.counts == ((2, 1, 0, 0), (0, 1, 1, 0), (1, 0, 0, 0), (0, 0, 0, 0))
    background, edema, core, enhancing = table.scores()
    assert (background.precision, background.recall, background.support) == (2 / 3, 2 / 3, 3)
    assert (edema.f1, core.recall) == (0.5, 0.0)
    assert (enhancing.precision, enhancing.recall, enhancing.f1, enhancing.support) == (None, None, None, 0)
    nothing = table.of_background.scores()
    assert (nothing[0].recall, nothing[0].precision, nothing[1].recall, nothing[1].precision) == (1.0, 0.5, 0.0, None)
    assert (table + table).counts[0] == (4, 2, 0, 0)


def test_one_region_gives_two_classes_and_others_are_refused():
    mask = np.ones((2, 2, 2), dtype=bool)
    table = class_table({Region.WT: mask}, {Region.WT: mask})
    assert table.names == ("background", "WT")
    with pytest.raises(ValueError, match="same regions"):
        class_table({Region.WT: mask}, {Region.TC: mask})
