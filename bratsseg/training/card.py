"""The card of a model that a user trained: what it was made of, how it scored, what it is not for."""

from __future__ import annotations

from collections.abc import Sequence

from bratsseg.inference.model import ReleasedModel
from bratsseg.training.experiment import Experiment


def write_card(model: ReleasedModel, experiment: Experiment, folds: Sequence[Sequence[dict[str, str]]]) -> str:
    """The card as Markdown; ``folds`` holds for each run the validation scores of its cases."""
    needs = "; ".join(
        f"{region}: {' or '.join(' + '.join(modality.label for modality in wanted) for wanted in model.needs[region])}"
        for region in model.regions
    )
    parts = [
        f"# {model.name} {model.version}",
        model.summary + ".",
        "For research; not a medical device. Nobody has tested it on scans other than those below.",
        "## Use",
        f"`bratsseg segment IN OUT --model <this folder>`. Needs {needs}.",
        "## Made of",
        _facts(model, experiment),
        "## Validation",
        _scores(model, folds),
    ]
    return "\n\n".join(parts) + "\n"


def _facts(model: ReleasedModel, experiment: Experiment) -> str:
    trained = model.trained
    lines = [
        f"- Licence: {model.licence}",
        f"- Data: {trained['data']}; experiment `{trained['experiment']}`, seed {trained['seed']}",
        f"- Network: {experiment.network.name}; windows: {experiment.windows.kind}; loss: {experiment.loss.name}",
    ]
    if trained["started_from"]:
        lines.append(f"- Started from the released model {trained['started_from']}")
    for run in trained["runs"]:
        split = f", split sha256 {run['split_sha256']}" if run["split_sha256"] else ""
        lines.append(f"- Fold {run['fold']}: {run['steps']} steps, {run['hours']} h{split}")
    versions = ", ".join(f"{name} {number}" for name, number in trained["versions"].items())
    return "\n".join([*lines, f"- Versions: {versions}"])


def _scores(model: ReleasedModel, folds: Sequence[Sequence[dict[str, str]]]) -> str:
    names = [f"vol_dice_{region}" for region in model.regions]
    rows = [
        f"| {run['fold']} | {case['case']} | " + " | ".join(f"{float(case[name]):.3f}" for name in names) + " |"
        for run, cases in zip(model.trained["runs"], folds, strict=True)
        for case in cases
    ]
    if not rows:
        return "None: the run was never validated."
    said = (
        "Dice of whole cases in the model's frame, before the rules of decoding, at the epoch that was kept because "
        "it scored best on these very cases: expect a little less on others."
    )
    return "\n".join([said, "", f"| fold | case | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|", *rows])
