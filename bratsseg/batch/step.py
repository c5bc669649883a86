"""One case through all stages: find, read, check, prepare, run, finish, write. Whatever happens stays in the case."""

from __future__ import annotations

import logging
import platform
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bratsseg.batch.commit import Fingerprint, finished_record, publish, withdraw
from bratsseg.batch.inputs import describe_inputs
from bratsseg.batch.names import Names
from bratsseg.batch.options import BatchOptions
from bratsseg.batch.staging import Staging
from bratsseg.errors import CaseError, WriteError
from bratsseg.exchange import add_label_table, export_case, labels_of
from bratsseg.exchange.pictures import DIALECT as PICTURE_DIALECT
from bratsseg.exchange.pictures import HEAT, MASK, mask_pattern, slice_names, write_heat, write_masks
from bratsseg.report.run import report_case
from bratsseg.study.case import Case, Problem
from bratsseg.study.checks import inspect
from bratsseg.study.dialect import get_dialect
from bratsseg.study.reading import read_study
from bratsseg.study.reading.study import error_of
from bratsseg.study.record import (
    CaseRecord,
    InputFile,
    ModelIdentity,
    Status,
    hash_or_none,
    read_record,
    record_path,
    stamp,
)
from bratsseg.study.regions import Region
from bratsseg.study.stack import is_stack
from bratsseg.study.volume import Volume
from bratsseg.study.writing import write_label_map, write_probability
from bratsseg.version import __version__

if TYPE_CHECKING:
    from bratsseg.inference import Segmentation, Segmenter

log = logging.getLogger(__name__)
OnStage = Callable[[str, str], None]
"""Is told (case, stage) when a stage begins, in the thread that runs it. What it raises ends the case."""


@dataclass
class Work:
    """A case on its way. ``record`` is set once its fate is known; ``fresh`` tells that this run decided it."""

    case: Case
    name: str
    at: str = "find"
    fresh: bool = True
    record: CaseRecord | None = None
    inputs: dict[str, InputFile] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    modality: str | None = None
    prepared: Any = None
    raw: Any = None
    raw_without: Any = None
    on_stage: OnStage | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure one stage, and remember which it was when it breaks."""
        self.at, start = name, time.perf_counter()
        if self.on_stage is not None:
            self.on_stage(self.name, name)
        try:
            yield
        finally:
            self.seconds[name] = round(time.perf_counter() - start, 4)


@dataclass(frozen=True)
class Outcome:
    """What came of one case, small enough to keep for every case of a batch."""

    case: str
    status: Status
    code: str
    reason: str
    fresh: bool


class Steps:
    """The stages of one batch; ``read`` and ``write`` run in other threads than ``compute``."""

    def __init__(
        self,
        segmenter: Segmenter,
        options: BatchOptions,
        out: Path,
        names: Names,
        staging: Staging,
        *,
        on_stage: OnStage | None = None,
    ) -> None:
        self._segmenter, self._options, self._on_stage = segmenter, options, on_stage
        self._out, self._names, self._staging = out, names, staging
        self._dialect = get_dialect(options.dialect)
        model = segmenter.model
        self._model = ModelIdentity(name=model.name, version=model.version, sha256=segmenter.folder.sha256)
        self._fingerprint = Fingerprint(self._model.sha256, options.result_relevant())
        self._versions = package_versions()

    def read(self, case: Case) -> Work:
        """Everything up to the network's input; or the finished record of an earlier run."""
        work = Work(case, self._names.case_id(case), on_stage=self._on_stage)
        with self._isolated(work):
            _raise_first_fatal(case, case.problems)
            if not self._options.overwrite:
                work.record = finished_record(case, self._out, self._fingerprint, self._names)
            if work.record is not None:
                work.fresh = False
                return work
            with work.stage("read"):
                work.inputs = describe_inputs(case, self._names)
                study = read_study(case, self._options.geometry)
                work.modality = str(study.reference_modality)
            with work.stage("check"):
                problems = inspect(study)
                _raise_first_fatal(case, problems)
                work.warnings += [problem.message for problem in problems]
            with work.stage("prepare"):
                work.prepared = self._segmenter.prepare(study)
        return work

    def compute(self, work: Work) -> Work:
        """The network."""
        if work.record is None:
            with self._isolated(work):
                with work.stage("run"):
                    work.raw = self._segmenter.run(work.prepared)
                if self._options.quality == "drop":
                    with work.stage("quality"):
                        work.raw_without = self._segmenter.run_without(work.prepared)
        return work

    def write(self, work: Work) -> Outcome:
        """From the network's output to published files; a case that went wrong gets its record here too."""
        if work.record is None:
            with self._isolated(work):
                self._finish(work)
        work.prepared = work.raw = work.raw_without = None
        if work.fresh and work.record is not None and work.record.status != "done":
            before = read_record(record_path(self._out, work.name))
            work.fresh = work.at != "find" or not _same_refusal(before, work.record)
            if work.fresh:
                self._publish_refusal(work.record)
        return _outcome(work)

    def _finish(self, work: Work) -> None:
        with work.stage("finish"):
            result = self._segmenter.finish(work.prepared, work.raw, work.raw_without)
        reference = work.prepared.study.reference
        with self._room() as room:
            with work.stage("write"):
                files = self._write_files(work.name, result, reference, room)
                outputs = {file.name: hash_or_none(file) or "" for file in files}
            masks = "" if reference.grid.physical else self._masks(work.name, reference)
            record = self._describe(work, "done", result, outputs, masks)
            if self._options.report:
                with work.stage("report"):
                    files += self._report(work, result, record, room)
            publish(record, files, self._out, room, self._staging)
        work.record = record

    def _report(self, work: Work, result: Segmentation, record: CaseRecord, room: Path) -> list[Path]:
        """The pages of a case. They can be made again, so the record does not list them among the outputs."""
        prepared, facts = work.prepared, record.model_dump(mode="json")
        return report_case(prepared.study, result.label_map, facts, room, prepared.brain)

    def _write_files(self, name: str, result: Segmentation, like: Volume, room: Path) -> list[Path]:
        """Every file of a result but its record and pages."""
        if not like.grid.physical:
            return self._write_pictures(name, result, like, room)
        stem = name.rpartition("/")[2]
        made_by = f"bratsseg {self._model.name} {self._model.version}"
        files = [room / f"{stem}_seg.nii.gz"]
        labels = self._dialect.encode(result.label_map.regions)
        write_label_map(files[0], labels, like, f"{made_by} {self._dialect.name}")
        add_label_table(files[0], labels_of(self._dialect, result.label_map.assessable))
        beside = [kind for kind in self._options.formats if kind in ("slicer", "itksnap")]
        files += export_case(result.label_map, like, name, room, beside, dialect=self._dialect)
        if self._options.probabilities:
            for region in (region for region in Region if region in result.label_map.assessable):
                files.append(room / f"{stem}_prob_{region}.nii.gz")
                write_probability(files[-1], result.probability(region), like, f"{made_by} {region}")
        return files

    def _write_pictures(self, name: str, result: Segmentation, like: Volume, room: Path) -> list[Path]:
        pattern = self._masks(name, like)
        files = write_masks(result.label_map.region(Region.WT), slice_names(like.source or Path(), pattern), room)
        if self._options.probabilities:
            heat = [f"{file.stem.removesuffix(MASK)}{HEAT}.png" for file in files]
            files += write_heat(result.probability(Region.WT), heat, room)
        return files

    def _masks(self, name: str, like: Volume) -> str:
        """What the masks of a picture case are called: as its pictures, unless names are salted."""
        source = like.source or Path("picture.png")
        if self._options.salt is None:
            return mask_pattern(source)
        stem = name.rpartition("/")[2]
        return f"{stem}_*{MASK}.png" if is_stack(source) else f"{stem}{MASK}.png"

    def _describe(
        self,
        work: Work,
        status: Status,
        result: Segmentation | None,
        outputs: dict[str, str],
        masks: str = "",
        **why: str,
    ) -> CaseRecord:
        texts: dict[str, Any] = {"warnings": work.warnings}
        if result is not None:
            texts |= {
                "warnings": list(dict.fromkeys([*result.warnings, *work.warnings, *self._unspoken(result, masks)])),
                "not_assessable": {str(region): reason for region, reason in result.not_assessable.items()},
                "facts": result.facts,
            }
        return CaseRecord(
            bratsseg=stamp(__version__),
            case=work.name,
            status=status,
            model=self._model,
            dialect=PICTURE_DIALECT if masks else self._dialect.name,
            masks=masks,
            versions=self._versions,
            options=self._fingerprint.options,
            inputs=work.inputs,
            outputs=outputs,
            volumes_ml={} if result is None else _volumes(result),
            quality={} if result is None else result.quality,
            seconds=work.seconds,
            reference_modality=work.modality,
            **self._names.clean_value(texts | why, work.case),
        )

    def _unspoken(self, result: Segmentation, masks: str) -> list[str]:
        """What was found or asked for and cannot be stored."""
        if masks:
            return [f"format {name} is not for pictures" for name in self._options.formats if name != "nifti"]
        lost = result.label_map.assessable - self._dialect.expresses
        return [f"dialect {self._dialect.name} cannot store {region}" for region in Region if region in lost]

    @contextmanager
    def _room(self) -> Iterator[Path]:
        try:
            with self._staging.room() as room:
                yield room
        except OSError as error:
            raise WriteError(f"results must fit into OUT; {error.strerror or error}") from error

    @contextmanager
    def _isolated(self, work: Work) -> Iterator[None]:
        """Turn an error of one case into its record: a ``CaseError`` refuses it, anything else is a failure."""
        try:
            yield
        except WriteError as error:
            self._settle(work, "failed", error.code, error)
        except CaseError as error:
            self._settle(work, "refused", error.code, error)
        except Exception as error:  # one strange case must not stop a batch over night
            self._settle(work, "failed", "failed", error)

    def _settle(self, work: Work, status: Status, code: str, error: Exception) -> None:
        work.prepared = work.raw = work.raw_without = None
        reason = str(error) if isinstance(error, CaseError) else f"{type(error).__name__}: {error}".rstrip(": ")
        work.record = self._describe(work, status, None, {}, code=code, reason=reason, stage=work.at)
        if log.isEnabledFor(logging.DEBUG) and status == "failed":
            lines = "".join(traceback.format_exception(error)).splitlines()
            log.debug("%s", "\n".join(self._names.clean(line, work.case) for line in lines))

    def _publish_refusal(self, record: CaseRecord) -> None:
        try:
            with self._room() as room:
                publish(record, [], self._out, room, self._staging)
        except Exception as error:  # OUT is full: rather no record than one of an earlier run
            log.debug("case %s: no record could be written: %s", record.case, error)
            with suppress(OSError):
                withdraw(record.case, self._out, self._staging)


def package_versions() -> dict[str, str]:
    """Versions of Python and the packages that results depend on, without importing them."""
    found = {"python": platform.python_version()}
    for package in ("torch", "monai", "numpy", "nibabel"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _raise_first_fatal(case: Case, problems: Iterable[Problem]) -> None:
    for problem in problems:
        if problem.fatal:
            raise error_of(case.id, problem)


def _same_refusal(before: CaseRecord | None, now: CaseRecord) -> bool:
    kept = ("status", "stage", "code", "reason", "model", "options")
    return before is not None and all(getattr(before, key) == getattr(now, key) for key in kept)


def _volumes(result: Segmentation) -> dict[str, float | None]:
    volumes = {region: result.label_map.volume_ml(region) for region in Region}
    return {str(region): None if volume is None else round(volume, 4) for region, volume in volumes.items()}


def _outcome(work: Work) -> Outcome:
    record = work.record
    assert record is not None  # every way through the stages settles the case
    return Outcome(record.case, record.status, record.code, record.reason, work.fresh)
