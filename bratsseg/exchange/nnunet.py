"""A folder of studies as a data set of nnU-Net v2, so that nnU-Net can be trained on the same patients and split.

Source: nnU-Net's documentation, ``dataset_format.md``, ``region_based_training.md`` and ``manual_data_splits.md``.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bratsseg.errors import CaseError, UsageError
from bratsseg.evaluation.convention import settle_dialects
from bratsseg.exchange.conversion import Conversion, UnconvertedCase
from bratsseg.exchange.nnunet_case import ENDING, NnunetCase, Reference, place_case
from bratsseg.files import write_bytes, write_json
from bratsseg.results.labelmaps import references_of
from bratsseg.study.case import Case
from bratsseg.study.layout import find_cases
from bratsseg.study.modality import Modality
from bratsseg.wording import counted

DATASET, SPLITS = "dataset.json", "splits_final.json"
_LABELS = {"background": 0, "whole_tumor": [1, 2, 3], "tumor_core": [2, 3], "enhancing_tumor": [3]}
_NAME = re.compile(r"Dataset\d{3}_\w+")
Progress = Callable[[Iterable[Case]], Iterable[Case]]


@dataclass(frozen=True)
class RunSplit:
    """One split by case id, as a run of ours keeps it in ``split.json``."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...] = ()


def read_run_split(path: Path) -> RunSplit:
    """The split of a run; ``UsageError`` when the file is none."""
    try:
        facts = json.loads(path.read_bytes())
        return RunSplit(tuple(facts["train"]), tuple(facts["validation"]), tuple(facts.get("test", ())))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"--split {path}: must be the split.json of a run; {type(error).__name__}: {error}") from error


def export_nnunet(
    folder: Path,
    out: Path,
    *,
    source: str | None = None,
    splits: Sequence[RunSplit] = (),
    modalities: Sequence[Modality] = (),
    progress: Progress = iter,
) -> Conversion:
    """Write the studies of ``folder`` into ``out`` as nnU-Net reads them; ``dataset.json`` last.

    ``source`` is the dialect of the references where nothing proves it. Cases that a split tests, and cases without a
    reference, go into ``imagesTs``. ``modalities`` are the channels; none takes the set that most cases have. A case
    that lacks one, or whose grids differ, is refused alone. ``UsageError`` when ``out`` is not new, no case has a
    reference, or a split names cases that are not there.
    """
    _refuse_places(folder, out)
    cases = {case.id: case for case in find_cases(folder)}
    named = _named(cases)
    _refuse_splits(splits, cases)
    channels = tuple(modalities) or _commonest(cases.values())
    references = _references(folder, cases.values(), source)
    for name in ("imagesTr", "labelsTr", "imagesTs", "labelsTs"):
        (out / name).mkdir(parents=True, exist_ok=True)
    tested = {case for split in splits for case in split.test} - {case for split in splits for case in split.train}
    placed: dict[str, NnunetCase] = {}
    refused = []
    for case in progress(list(cases.values())):
        reference = references.get(case.id)
        part, name = "Tr" if reference is not None and case.id not in tested else "Ts", named[case.id]
        images = [out / f"images{part}" / f"{name}_{number:04d}{ENDING}" for number in range(len(channels))]
        try:
            placed[case.id] = place_case(case, reference, channels, images, out / f"labels{part}" / f"{name}{ENDING}")
        except CaseError as error:
            refused.append(UnconvertedCase(case.id, error.code, str(error)))
    trained = {case: named[case] for case in placed if case in references and case not in tested}
    if splits:
        _write_splits(out / SPLITS, splits, trained)
    write_json(out / DATASET, _dataset(out.name, channels, len(trained)))
    done = {case: one.files for case, one in placed.items()}
    return Conversion(done, tuple(refused), (*_losses(placed), *_remarks(out, splits, placed)))


def _refuse_places(folder: Path, out: Path) -> None:
    here, there = folder.resolve(), out.resolve()
    if here.is_relative_to(there) or there.is_relative_to(here):
        raise UsageError(f"OUT {out}: must lie outside IN {folder}, so that no study is read or written twice")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"OUT {out}: must be a new or an empty folder, so that no other data set is mixed with this")


def _named(cases: Collection[str]) -> dict[str, str]:
    """nnU-Net's identifier of each case: its id, with what a file name cannot hold replaced."""
    named = {case: re.sub(r"[^\w.+-]", "_", case) for case in cases}
    taken = list(named.values())
    clashes = sorted(case for case, name in named.items() if taken.count(name) > 1)
    if clashes:
        raise UsageError(f"nnU-Net: case ids must differ as file names, {', '.join(clashes[:4])} do not; rename one")
    return named


def _refuse_splits(splits: Sequence[RunSplit], cases: Collection[str]) -> None:
    absent = sorted({case for split in splits for case in (*split.train, *split.validation, *split.test)} - set(cases))
    if absent:
        raise UsageError(
            f"--split: must split the cases of IN, {len(absent)} of its cases are not there, such as {absent[0]}; "
            "name the folder that the run was trained on"
        )


def _commonest(cases: Iterable[Case]) -> tuple[Modality, ...]:
    """The set of modalities that most cases have; the larger one when two are equally common."""
    sets = [tuple(modality for modality in Modality if modality in case.sources) for case in cases]
    if not any(sets):
        raise UsageError("nnU-Net: IN must hold scans whose modality is known; see `bratsseg check`")
    return max(sets, key=lambda have: (sets.count(have), len(have)))


def _references(folder: Path, cases: Iterable[Case], source: str | None) -> dict[str, Reference]:
    items = references_of(cases)
    if not items:
        raise UsageError(f"{folder}: must hold studies with references, no case has one")
    speaks = settle_dialects(folder, items, source, "--from")
    return {case: Reference(item, speaks[case]) for case, item in items.items()}


def _write_splits(path: Path, splits: Sequence[RunSplit], names: Mapping[str, str]) -> None:
    lists = [
        {
            "train": [names[case] for case in split.train if case in names],
            "val": [names[case] for case in split.validation if case in names],
        }
        for split in splits
    ]
    write_bytes(path, f"{json.dumps(lists, indent=2)}\n".encode())


def _dataset(name: str, channels: Sequence[Modality], count: int) -> dict[str, object]:
    """``dataset.json``; the order of the labels says which region is decoded after which."""
    return {
        "name": name,
        "channel_names": {str(number): modality.label for number, modality in enumerate(channels)},
        "labels": _LABELS,
        "regions_class_order": [1, 2, 3],
        "numTraining": count,
        "file_ending": ENDING,
    }


def _losses(placed: Mapping[str, NnunetCase]) -> list[str]:
    by_loss: dict[str, list[str]] = defaultdict(list)
    for case, one in placed.items():
        for loss in one.losses:
            by_loss[loss].append(case)
    return [f"{loss} ({counted(len(cases), 'case')}, such as {cases[0]})" for loss, cases in by_loss.items()]


def _remarks(out: Path, splits: Sequence[RunSplit], placed: Collection[str]) -> list[str]:
    remarks = []
    if not _NAME.fullmatch(out.name):
        remarks.append(f"nnU-Net reads only folders called like Dataset501_Glioma, this is {out.name}; rename it")
    if splits:
        remarks.append(f"nnU-Net looks for {SPLITS} in nnUNet_preprocessed/{out.name}: copy it there after planning")
    gone = sorted({case for split in splits for case in (*split.train, *split.validation)} - set(placed))
    if gone:
        remarks.append(f"the split is not whole: {len(gone)} of its cases were refused, such as {gone[0]}")
    return remarks
