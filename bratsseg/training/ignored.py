"""Keys of an experiment that its source of cases would ignore: each is refused, for it would promise what is not done.

A key counts as given where its value is not its default: a default says nothing that is not done anyway. Nor does a
margin of 0 where there is nothing to put one around.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bratsseg.config import Config

if TYPE_CHECKING:
    from bratsseg.training.experiment import Experiment


def refuse_ignored(experiment: Experiment) -> None:
    """``ValueError`` that names the keys, as they are typed, that nothing would read, and says why."""
    for keys, why in _ignored(experiment):
        if keys:
            raise ValueError(f"{', '.join(keys)} must be left out: {why}")


def given_keys(config: Config, prefix: str) -> Iterator[str]:
    """The dotted keys below ``prefix`` whose values are not their defaults."""
    for name, field in type(config).model_fields.items():
        value, default = getattr(config, name), field.get_default(call_default_factory=True)
        if value == default:
            continue
        if isinstance(value, Config) and isinstance(default, type(value)):
            yield from given_keys(value, f"{prefix}.{name}")
        else:
            yield f"{prefix}.{name}"


def _ignored(experiment: Experiment) -> Iterator[tuple[list[str], str]]:
    data, synthesis = experiment.data, experiment.synthesis
    fold = ["fold"] if experiment.fold else []
    if data.synthetic is None:
        yield list(given_keys(synthesis, "synthesis")), "it says how patients are made, and data.synthetic is not given"
        yield fold if data.split.file is not None else [], "data.split.file makes one split, not folds"
        return
    not_split = "synthetic patients are not split; data.synthetic.validation_patients says how many validate"
    yield [*given_keys(data.split, "data.split"), *fold], not_split
    yield ["data.cache"] if data.cache is not None else [], "synthetic patients are made on the fly and not cached"
    if experiment.preparation.subject == "volume":
        of_pictures = "it is about pictures, and preparation.subject is volume"
        yield list(given_keys(synthesis.pictures, "synthesis.pictures")), of_pictures
        yield [key for key in given_keys(data.synthetic, "data.synthetic") if key.endswith(".single")], of_pictures
    elif experiment.preparation.margin:
        margin = [key for key in given_keys(experiment.preparation, "preparation") if key.endswith(".margin")]
        yield margin, "synthetic pictures are taken whole, and have nothing around them"
