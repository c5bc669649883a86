"""What the scripts that measure and tune models promise of their synthetic patients."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from bratsseg.inference.decoding import Decoding, decode
from bratsseg.inference.model import ModelFolder
from bratsseg.inference.quality import Doubt
from bratsseg.study.overlap import dice
from bratsseg.study.quality import ReviewRule
from bratsseg.study.regions import Region
from bratsseg.synthesis.generator import synthesize_patient
from tests.inference.test_quality import model_folder

ROOT = Path(__file__).resolve().parents[2]
NO_RULES = {"score_share": 0.0, "confidence": 0.0, "smallest_wt_ml": 0.0, "smallest_et_ml": 0.0, "et_confidence": 0.0}


@pytest.fixture
def scripts(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return {name: __import__(name) for name in ("patients", "calibrate", "quality_fit")}


def asked(scripts, *words: str) -> tuple[argparse.Namespace, argparse.ArgumentParser]:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    scripts["patients"].add_set_options(parser, patients=1, seed=3)
    return parser.parse_args(words), parser


def test_the_generator_is_changed_as_in_an_experiment(scripts):
    generator_of = scripts["patients"].generator_of
    config = ROOT / "configs" / "training" / "default.yaml"
    changes = ("--synthesis", "synthesis.tumour.none=0", "synthesis.tumour.non_enhancing=0.5")
    assert generator_of(*asked(scripts, "default", *changes)).tumour.none == 0
    found = generator_of(*asked(scripts, "default", "--config", str(config), *changes))
    assert (found.tumour.none, found.tumour.non_enhancing) == (0, 0.5)


@pytest.mark.parametrize("override", ["synthesis.tumour.nothing=0", "tumour.none=0", "synthesis.tumour.none=many"])
def test_a_generator_that_there_is_not_is_refused(scripts, override, capsys):
    with pytest.raises(SystemExit):
        scripts["patients"].generator_of(*asked(scripts, "default", "--synthesis", override))
    assert "--synthesis" in capsys.readouterr().err


def test_outputs_are_kept_and_are_those_of_the_segmenter(scripts, tmp_path):
    patients = scripts["patients"]
    (tmp_path / "model").mkdir()
    model = str(model_folder(tmp_path / "model", spacing_mm=6.0))
    options, parser = asked(scripts, model, "--keep", str(tmp_path / "kept"), "--workers", "1")
    with patients.patient_set(options, parser) as wanted:
        first = list(patients.measured(wanted, 1, lambda output: output))
        written = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").glob("*.npz")}
        again = list(patients.measured(wanted, 1, lambda output: output))
    assert {output.subset for output in first} == {"four", "flair_t1ce"}
    assert {path: path.stat().st_mtime_ns for path in written} == written, "nothing was made a second time"
    assert all(np.array_equal(one.logits, other.logits) for one, other in zip(first, again, strict=True))
    patient = synthesize_patient(3, 0, 6.0)
    four = next(output for output in first if output.subset == "four")
    assert int(four.truth.sum()) == int(patient.regions.sum())
    assert int(four.inside.sum()) == int(patient.brain.sum())
    assert four.voxel_ml == pytest.approx(0.216)
    assert not four.probabilities(ModelFolder(Path(model)).description)[:, ~four.inside].any()
    other, parser = asked(scripts, model, "--keep", str(tmp_path / "kept"), "--seed", "4")
    with patients.patient_set(other, parser) as wanted, pytest.raises(SystemExit, match="give another --keep"):
        list(patients.measured(wanted, 1, lambda output: output))


def blobs(seed: int) -> np.ndarray:
    """Smooth logits (3, 24, 24, 24) of a tumour or two."""
    noise = torch.randn(1, 3, 24, 24, 24, generator=torch.Generator().manual_seed(seed))
    smooth = torch.nn.functional.avg_pool3d(noise, 5, 1, 2)[0] * 25 - 4
    return smooth.half().numpy()


@pytest.mark.parametrize(
    "changes", [{}, {"wt_border": 0.3, "wt_faint": 1.0}, {"smallest_et_part_ml": 0.02}, {"components": "largest"}]
)
def test_rules_score_on_the_cut_as_on_the_whole_brain(scripts, tmp_path, changes):
    """What is cut away from an output changes no score."""
    calibrate, model = scripts["calibrate"], ModelFolder(model_folder(tmp_path)).description
    rules = Decoding(**{**NO_RULES, **changes})
    for seed in range(4):
        logits = blobs(seed)
        truth = np.roll(logits, 3, 1) > 0
        inside = np.ones(truth.shape[1:], dtype=bool)
        output = scripts["patients"].Output(seed, "four", logits, truth, inside, tuple(Region), (), 0.003)
        calibrate.CASES[:] = [calibrate.cut(model, output)]
        found = decode(output.probabilities(model), tuple(Region), 0.003, rules)
        whole = [dice(mask, true) for mask, true in zip(found, truth, strict=True)]
        assert calibrate.score_case(rules, 0) == pytest.approx(whole, abs=0.01)


def test_a_rule_is_changed_only_where_it_gains_enough(scripts):
    calibrate = scripts["calibrate"]
    for gain, chosen in ((0.002, 0.15), (0.004, 0.4)):
        score = partial(lambda gain, rules: np.full((5, 3), 0.8 + gain * (rules.score_share == 0.4)), gain)
        assert calibrate.search(score, Decoding(), 2).score_share == chosen


def test_the_fit_finds_how_dice_hangs_on_doubt(scripts):
    """From drawn cases whose Dice falls with entropy alone, though the soft Dice says otherwise."""
    fit, rng = scripts["quality_fit"], np.random.default_rng(0)
    entropy, soft = rng.uniform(0.2, 0.9, 80), rng.uniform(0.3, 0.95, 80)
    true = 1 / (1 + np.exp(-(4 - 5 * entropy)))
    doubts = [Doubt(s, 0.8, 0.5, e) for s, e in zip(soft, entropy, strict=True)]
    predicted = fit.held_out(doubts, true, np.arange(80))
    assert np.abs(predicted - true).mean() < 0.5 * np.abs(soft - true).mean()
    assert np.corrcoef(predicted, true)[0, 1] > 0.9


def test_the_review_takes_the_fewest_that_hold_four_of_five(scripts):
    fit = scripts["quality_fit"]
    predicted = [0.5, 0.55, 0.6, 0.65, 0.9, *[0.8] * 10, None]
    true = np.array([0.4, 0.6, 0.5, 0.6, 0.3, *[0.9] * 10, 0.0])
    whole = [fit.figures_of(each, 0.17 if each is None else None) for each in predicted]
    review = fit.choose_review(whole, true)
    assert (review.found, review.poor, review.flagged) == (5, 6, 5), "the missed tumour with four of the found ones"
    assert 0.65 < review.rule.below <= 0.8
    assert review.rule.missed_above == 0.15
    assert fit.reviewed(ReviewRule(below=0.55), whole, true).found == 1
