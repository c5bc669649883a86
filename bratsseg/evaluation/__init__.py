"""Label map against reference: overlap, surface distance, volumes, and their summary over many cases."""

from bratsseg.evaluation.folders import Evaluation, evaluate_folders
from bratsseg.evaluation.scoring import CaseScores, RegionScores, score_case
from bratsseg.evaluation.summary import Summary, summarise
from bratsseg.evaluation.surface import hd95_mm
from bratsseg.study.overlap import dice, precision, sensitivity

__all__ = [
    "CaseScores",
    "Evaluation",
    "RegionScores",
    "Summary",
    "dice",
    "evaluate_folders",
    "hd95_mm",
    "precision",
    "score_case",
    "sensitivity",
    "summarise",
]
