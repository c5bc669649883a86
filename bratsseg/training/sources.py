"""Where training cases come from: folders of studies with references, or patients made on the fly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from bratsseg.config import Config
from bratsseg.errors import ConfigError, UsageError
from bratsseg.study.account import Account
from bratsseg.study.case import Case
from bratsseg.study.modality import Modality
from bratsseg.study.regions import Region
from bratsseg.tensors.augmentation import ModalityShares
from bratsseg.training.split import SplitConfig, read_patients, whose
from bratsseg.wording import counted, some

"""Cases that a message about many of them names."""


class Source(Config):
    """One folder of studies."""

    folder: Path
    """Its cases are found as ``bratsseg check`` finds them; a zip of pictures counts as a folder."""
    layout: Path | None = None
    """CSV or YAML that says which file is which, where names do not."""
    dialect: str | None = None
    """What the values of its label maps mean, where names do not prove it."""


class SyntheticConfig(Config):
    """Patients made on the fly."""

    volumes: int = Field(default=24, ge=1)
    """Patients kept in memory at once, so that a batch mixes many."""
    windows_per_volume: int = Field(default=16, ge=1)
    """Samples drawn for each new patient."""
    lanes: int = Field(default=1, ge=1)
    """Pools of patients that batches take turns at; as many as workers, and no worker makes another's patients."""
    volumes_at_first: int | None = Field(default=None, ge=1)
    """Patients of the first batch's pool, which grows by one with each batch up to ``volumes``: a run begins sooner.
    None, or more than ``volumes``, begins with all."""
    makers: int = Field(default=0, ge=0)
    """Processes of one thread, of each training process, that make patients ahead on the CPU; 0 makes them where the
    pool lies. One for each core but one. The pool then lies in the training process: needs ``workers`` 0."""
    validation_patients: int = Field(default=6, ge=1)
    """Patients with a tumour, of the fixed validation set."""
    on_device: bool = False
    """Keep the pool of ``volumes`` in the training process on the device that it trains on, and make patients there
    unless ``makers`` do; otherwise on the CPU by ``workers``. Needs ``workers`` 0. Another device draws other noise."""
    single: float = Field(default=0.5, ge=0, le=1)
    """Share of patients whose pictures are normalised one by one, as one that arrives alone is; others as a stack."""

    @model_validator(mode="after")
    def _pool_is_possible(self) -> Self:
        if self.makers and self.lanes > 1:
            raise ValueError("lanes must be 1 with makers: the training process has one pool")
        return self


class DataConfig(Config):
    """Where cases come from, and what is learnt of them."""

    folder: Path | None = None
    """Short for one source with this folder."""
    sources: tuple[Source, ...] = ()
    """Several folders; their cases are pooled, and no id may occur twice."""
    synthetic: SyntheticConfig | None = None
    """Patients made on the fly instead of folders."""
    modalities: tuple[Modality, ...] = tuple(Modality)
    """The network's channels, in order; a modality that a case lacks is a channel of zeros."""
    regions: tuple[Region, ...] = tuple(Region)
    """What is learnt, in the order WT, TC, ET."""
    target: Literal["regions", "classes"] = "regions"
    """A channel for each nested region (sigmoid), or exclusive classes: background, necrosis, edema, enhancing."""
    modality_dropout: ModalityShares | None = None
    """Zero modalities at random, so that one model serves any subset."""
    split: SplitConfig = SplitConfig()
    """Which cases are for what."""
    cache: Path | None = None
    """Folder of prepared cases, which runs on the same data may share; None is RUN/cache."""
    workers: int = Field(default=1, ge=0)
    """Processes that make samples; 0 makes them in the training process."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if self.folder is not None and self.sources:
            raise ValueError("folder is short for one source; give folder or sources")
        if self.synthetic is not None and (self.folder is not None or self.sources):
            raise ValueError("synthetic patients or folders can be given, not both")
        if self.synthetic is not None and self.synthetic.on_device and self.workers:
            raise ValueError("workers must be 0 where synthetic.on_device: the training process makes the patients")
        if self.synthetic is not None and self.synthetic.makers and self.workers:
            raise ValueError("workers must be 0 where synthetic.makers make the patients")
        if not self.modalities or len(set(self.modalities)) < len(self.modalities):
            raise ValueError("modalities must name each channel once")
        if self.regions != tuple(region for region in Region if region in self.regions) or not self.regions:
            raise ValueError("regions must follow the order WT, TC, ET")
        if self.target == "classes" and self.regions != tuple(Region):
            raise ValueError("target classes needs all regions: WT, TC, ET")
        return self

    @property
    def all_sources(self) -> tuple[Source, ...]:
        """``sources``, or the one that ``folder`` is short for."""
        return self.sources if self.folder is None else (Source(folder=self.folder),)


@dataclass(frozen=True)
class TrainingCase:
    """A case with a reference, the dialect of that reference, and whose it is."""

    case: Case
    dialect: str
    patient: str


def find_training_cases(config: DataConfig) -> tuple[list[TrainingCase], tuple[str, ...]]:
    """All cases that can be trained on, sorted by id, and what to say aloud about those left out.

    ``UsageError`` when there are none, when a case lacks its reference or a modality that every sample needs, or when
    two sources hold one id; ``ConfigError`` when nothing says whose a case is; ``DialectError`` when the values'
    convention is neither stated nor proved.
    """
    if not config.all_sources:
        raise ConfigError("data: must name folder, sources or synthetic, names none")
    named = read_patients(config.split.patients) if config.split.patients is not None else None
    found: dict[str, tuple[Case, str]] = {}
    notes: list[str] = []
    for source in config.all_sources:
        cases, said = _cases_of(source)
        notes += said
        for case, dialect in cases:
            if case.id in found:
                raise UsageError(f"{source.folder}: case {case.id} is in two sources; rename one, or leave one out")
            found[case.id] = (case, dialect)
    if config.modality_dropout is None:
        _refuse_missing([case for case, _ in found.values()], config.modalities)
    patients = whose(found, named)
    if strange := sorted((named or {}).keys() - found.keys()):
        notes.append(f"{config.split.patients} names {counted(len(strange), 'case')} without data: {some(strange)}")
    return [TrainingCase(*found[name], patients[name]) for name in sorted(found)], tuple(notes)


def accounts_of(config: DataConfig) -> list[tuple[str, Account]]:
    """What became of every image file of each folder that is trained on, by the folder's name."""
    from bratsseg.study.layout import find_cases  # noqa: PLC0415 - synthetic training needs no nibabel
    from bratsseg.study.layout.accounting import account_for  # noqa: PLC0415

    found = []
    for source in config.all_sources:
        cases = find_cases(source.folder, source.layout)
        found.append((source.folder.name, account_for(source.folder, cases, layout=source.layout, references=True)))
    return found


def _cases_of(source: Source) -> tuple[list[tuple[Case, str]], list[str]]:
    from bratsseg.evaluation.convention import settle_dialects  # noqa: PLC0415 - synthetic training needs no scipy
    from bratsseg.results.labelmaps import references_of  # noqa: PLC0415
    from bratsseg.study.layout import find_cases  # noqa: PLC0415 - nor nibabel

    cases = find_cases(source.folder, source.layout)
    broken = [case for case in cases if any(problem.fatal for problem in case.problems)]
    fine = [case for case in cases if case not in broken]
    if not fine:
        raise UsageError(
            f"{source.folder}: must hold cases to train on, found none; bratsseg check tells what is there"
        )
    bare = [case.id for case in fine if case.reference is None]
    if bare:
        raise UsageError(
            f"{source.folder}: every case must have a label map to train on, {some(bare)} has none; add it, "
            "or leave the case out with a layout"
        )
    dialects = settle_dialects(source.folder, references_of(fine), source.dialect, "data.sources[].dialect")
    notes = [f"case {case.id} is left out: {case.problems[0].message}" for case in broken]
    return [(case, dialects[case.id]) for case in fine], notes


def _refuse_missing(cases: Sequence[Case], modalities: tuple[Modality, ...]) -> None:
    lacking = [case.id for case in cases if not set(modalities) <= set(case.sources)]
    if lacking:
        wanted = ", ".join(modality.label for modality in modalities)
        raise UsageError(
            f"data: every case must have {wanted}, {some(lacking)} has not; leave it out, name fewer modalities, or "
            "turn on data.modality_dropout"
        )
