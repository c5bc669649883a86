"""What `expects: brain` lets pass and what it refuses, on synthetic heads and on things that are none.

usage: .venv/bin/python scripts/expectation.py [--heads 60] [--strangers 4] [--first 0] [--seed 77] [--figures]

The bounds in bratsseg/study/likeness/bounds.py are chosen by this table alone, before a real scan is looked at: every
synthetic head must pass, in every form in which scans arrive (scripts/heads.py), and of the strangers
(scripts/strange_volumes.py, scripts/strange_pictures.py) as many kinds as possible must be refused. ``--figures``
prints for each figure the range over all heads; of figures of single modalities that of the nearest one, which is
what a bound that is not ``each`` sees.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from heads import picture_heads, volume_head
from strange_pictures import PICTURES, picture_stranger
from strange_volumes import VOLUMES, volume_stranger

from bratsseg.errors import CaseError
from bratsseg.study.brain import find_brain
from bratsseg.study.checks import inspect
from bratsseg.study.likeness import figures_of, judge
from bratsseg.study.likeness.figures import Figures
from bratsseg.study.volume import Study

Told = tuple[str, tuple[str, ...], Figures | None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", type=int, default=60)
    parser.add_argument("--strangers", type=int, default=4)
    parser.add_argument("--first", type=int, default=0, help="index of the first head, to look at fresh ones")
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--figures", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    heads = range(options.first, options.first + options.heads)
    volumes = (volume_head(options.seed, index) for index in heads)
    tell_heads("heads, volumes", volumes, options.figures)
    tell_heads(
        "heads, pictures", (study for index in heads for study in picture_heads(options.seed, index)), options.figures
    )
    seeds = range(options.first, options.first + options.strangers)
    tell_strangers("strangers, volumes", (volume_stranger(name, seed) for name in VOLUMES for seed in seeds))
    tell_strangers("strangers, pictures", (picture_stranger(name, seed) for name in PICTURES for seed in seeds))


def judged(studies: Iterable[Study]) -> Iterator[Told]:
    """Each study's name, why it is refused (nothing when it passes), and its figures."""
    for study in studies:
        if any(problem.fatal for problem in inspect(study)):
            yield study.case_id, ("content_invalid",), None
            continue
        try:
            brain = find_brain(study)
        except CaseError as error:
            yield study.case_id, (error.code,), None
            continue
        figures = figures_of(study, brain)
        yield study.case_id, judge(study, figures), figures


def tell_heads(title: str, studies: Iterable[Study], every_figure: bool) -> None:
    """How many pass by kind of study, each one that does not, and the range of every figure."""
    passed, seen = Counter[str](), Counter[str]()
    ranges: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for name, why, figures in judged(studies):
        kind = name.partition("-")[0]
        seen[kind] += 1
        passed[kind] += not why
        if why:
            print(f"  {name}: {'; '.join(why)}", flush=True)
        for figure, values in spread(figures):
            ranges[f"{kind} {figure}"].append((max(values), min(values)))
    print(title, ", ".join(f"{kind}: {passed[kind]} of {seen[kind]} pass" for kind in seen), flush=True)
    for figure, both in ranges.items() if every_figure else ():
        highest, lowest = np.array(both).T
        nearest, anyone = (highest.min(), lowest.max()), (lowest.min(), highest.max())
        print(f"  {figure:20} nearest {nearest[0]:9.3f} to {nearest[1]:9.3f}, any {anyone[0]:9.3f} to {anyone[1]:9.3f}")


def spread(figures: Figures | None) -> Iterator[tuple[str, list[float]]]:
    """Each figure with its values over the modalities."""
    if figures is None:
        return
    yield from ((figure, [value]) for figure, value in figures.of_all.items())
    for figure in dict.fromkeys(name for one in figures.of_each.values() for name in one):
        yield figure, [one[figure] for one in figures.of_each.values() if figure in one]


def tell_strangers(title: str, studies: Iterable[Study]) -> None:
    """How many are refused by kind, and the first reason."""
    refused, seen = Counter[str](), Counter[str]()
    first: dict[str, str] = {}
    for name, why, _ in judged(studies):
        kind = name.rpartition("-")[0]
        seen[kind] += 1
        refused[kind] += bool(why)
        if why:
            first.setdefault(kind, why[0])
    print(f"{title}: {refused.total()} of {seen.total()} refused")
    for kind, count in seen.items():
        print(f"  {kind:24}{refused[kind]:3} of {count}  {first.get(kind, '')}")


if __name__ == "__main__":
    main()
