"""CPU seconds of the official BraTS lesion-wise scripts and of ours on one pair of 240×240×155 voxels, in one process.

    python scripts/bench_lesions.py --checkout-2023 DIR --checkout-2024 DIR

It needs bratsseg and what ``golden_lesions.py`` asks for in one environment: Python 3.11, numpy 1.26.4, scipy 1.11.4.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path

import nibabel
import numpy as np
from golden_lesions import lesions, official

from bratsseg.evaluation.lesion_rules import lesion_rules
from bratsseg.evaluation.lesions import score_lesions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout-2023", type=Path, required=True)
    parser.add_argument("--checkout-2024", type=Path, required=True)
    given = parser.parse_args()
    compare({"2023": given.checkout_2023.resolve(), "2024": given.checkout_2024.resolve()})


def compare(checkouts: dict[str, Path]) -> None:
    """The year's own way for 2024; for 2023 the function that does the work, because pandas fails around it."""
    rng = np.random.default_rng(7)
    truth = np.zeros((240, 240, 155), np.uint8)
    truth[60:180, 60:180, 40:118] = lesions(rng, (40, 40, 26)).repeat(3, 0).repeat(3, 1).repeat(3, 2)
    predicted = np.roll(truth, (2, 1, 1), axis=(0, 1, 2))
    predicted[70:73, 200:203, 30:33] = 3
    for year, file in (("2023", "metrics"), ("2024", "metrics_GLI")):
        script = official(checkouts[year], file)
        rules = lesion_rules("GLI", int(year))
        start = time.process_time()
        masks, references = (
            {name: np.isin(labels, rule.values) for name, rule in rules.regions.items()}
            for labels in (predicted, truth)
        )
        score_lesions(masks, references, (1.0, 1.0, 1.0), rules)
        ours = time.process_time() - start
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            for stem, labels in (("pred", predicted), ("gt", truth)):
                nibabel.save(nibabel.Nifti1Image(labels, np.eye(4)), f"{stem}.nii.gz")
            start = time.process_time()
            if year == "2023":
                for region in rules.regions:
                    script.get_LesionWiseScores("pred.nii.gz", "gt.nii.gz", region, 3)
            else:
                script.get_LesionWiseResults("pred.nii.gz", "gt.nii.gz", "BraTS-GLI")
            theirs = time.process_time() - start
        print(f"GLI {year}: official {theirs:.1f} s, ours {ours:.2f} s, {theirs / ours:.0f} times faster", flush=True)


if __name__ == "__main__":
    main()
