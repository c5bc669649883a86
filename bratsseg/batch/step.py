"""One case through all stages: find, read, check, prepare, run, finish, write. Whatever happens stays in the case."""

from __future__ import annotations

import logging
import platform
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bratsseg.batch.inputs import describe_inputs
from bratsseg.batch.keeping import added_files, drawn_without_record, files_kept, kept_record, with_what_stays
from bratsseg.batch.names import Names
from bratsseg.batch.options import BatchOptions
from bratsseg.batch.outputs import masks_of, result_files
from bratsseg.batch.resume import EarlierResult, Fingerprint, earlier_result
from bratsseg.batch.work import OnStage, Outcome, Work, outcome_of
from bratsseg.errors import CaseError, Code, WriteError
from bratsseg.exchange.formats import Files
from bratsseg.exchange.pictures import DIALECT as PICTURE_DIALECT
from bratsseg.files import digests
from bratsseg.report.run import report_case
from bratsseg.results.commit import publish, publish_more
from bratsseg.results.edited import BY_HAND, follow_edit, volumes_of
from bratsseg.results.labelmaps import label_map_beside
from bratsseg.results.reading import read_label_map
from bratsseg.results.record import CaseRecord, ModelIdentity, Status, read_record, record_path, stamp
from bratsseg.results.staging import Staging
from bratsseg.study.case import Case, raise_fatal
from bratsseg.study.checks import inspect
from bratsseg.study.dialect import get_dialect
from bratsseg.study.reading import read_files, read_study
from bratsseg.study.regions import Region
from bratsseg.version import __version__

if TYPE_CHECKING:
    from bratsseg.inference import Segmentation, Segmenter

log = logging.getLogger(__name__)


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
        self.fingerprint = Fingerprint(self._model.sha256, options.result_relevant())
        self._versions = package_versions()

    def read(self, case: Case) -> Work:
        """Everything up to the network's input; or the finished record of an earlier run."""
        work = Work(case, self._names.case_id(case), on_stage=self._on_stage)
        with self._isolated(work):
            if (unfit := self._names.unfit(case)) is not None:
                raise CaseError(f"case {case.id}: {unfit}")
            raise_fatal(case.id, case.problems)
            if not self._options.overwrite:
                work.earlier = earlier_result(case, self._out, self.fingerprint, self._names, self._options)
            if work.earlier is not None:
                return self._keep(work, work.earlier)
            with work.stage("read"):
                files = read_files(case, self._options.geometry)
                work.inputs = describe_inputs(case, files.states, self._names)
                study = files.study()
                work.modality = str(study.reference_modality)
            with work.stage("check"):
                problems = inspect(study)
                raise_fatal(case.id, problems)
                work.warnings += [problem.message for problem in problems]
            with work.stage("prepare"):
                work.prepared = self._segmenter.prepare(study, force=self._options.force)
        return work

    def _keep(self, work: Work, earlier: EarlierResult) -> Work:
        """An earlier result stands; for a report its scans are read again, if they are still what they were."""
        work.record, work.fresh = kept_record(earlier), False
        work.by_hand = files_kept(earlier, self._dialect.name) if earlier.by_hand else ""
        if "report" in earlier.lacking and earlier.same_scans:
            with work.stage("read"):
                work.study = read_study(work.case, self._options.geometry)
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
                work.prepared = work.prepared.spent()
        return work

    def write(self, work: Work) -> Outcome:
        """From the network's output to published files; a case that went wrong gets its record here too."""
        if work.record is None:
            with self._isolated(work):
                self._finish(work)
        elif work.earlier is not None:
            self._add(work, work.earlier, work.record)
        work.prepared = work.raw = work.raw_without = work.study = None
        if work.fresh and work.record is not None and work.record.status != "done":
            before = read_record(record_path(self._out, work.name))
            work.fresh = work.at != "find" or not _same_refusal(before, work.record)
            if work.fresh:
                self._publish_refusal(work.record)
        return outcome_of(work)

    def _finish(self, work: Work) -> None:
        if work.raw.ready is not None:
            with work.stage("run"):  # a GPU goes on with it after it was told to
                work.raw.ready.synchronize()
        with work.stage("finish"):
            result = self._segmenter.finish(
                work.prepared, work.raw, work.raw_without, probabilities=self._options.probabilities
            )
        reference = work.prepared.study.reference
        with work.stage("write"):
            files = result_files(work.name, result, reference, self._model, self._options)
        masks = "" if reference.grid.physical else masks_of(work.name, reference, self._options)
        record = self._describe(work, "done", result, digests(files), masks)
        record, more = (record, False) if self._options.overwrite else with_what_stays(record, self._out)
        if not self._options.overwrite and drawn_without_record(record, self._out):
            del files[record.label_file]
            record, more = follow_edit(record_path(self._out, record.case).parent, record), True
            work.by_hand = f"a label map that no record knows was taken for one {BY_HAND}"
        if self._options.report:
            with work.stage("report"):
                record, files = self._reported(work, result, record, files)
        work.moved_aside = (publish_more if more else publish)(record, files, self._staging)
        work.record = record

    def _reported(self, work: Work, result: Segmentation, record: CaseRecord, files: Files) -> tuple[CaseRecord, Files]:
        """The pages of a case besides; they can be made again, so the record does not list them among its outputs."""
        label_map = result.label_map
        if record.edited:
            label_map, _ = read_label_map(
                label_map_beside(record_path(self._out, record.case).parent, record), record.dialect
            )
        report = report_case(work.prepared.study, label_map, record, work.prepared.brain)
        work.measures = report.measures
        return record.model_copy(update={"pages": digests(report.files)}), {**files, **report.files}

    def _add(self, work: Work, earlier: EarlierResult, record: CaseRecord) -> None:
        """Make what an earlier result lacks, without computing it again; a failure leaves the result as it was."""
        if record.status != "done" or (not earlier.lacking and record is earlier.record):
            return
        try:
            record, files = added_files(earlier, record, work.study) if earlier.lacking else (record, {})
            work.moved_aside = publish_more(record, files, self._staging)
        except CaseError as error:
            self._settle(work, "failed", error.code, error)
        except Exception as error:  # one strange file must not stop a batch over night
            self._settle(work, "failed", Code.FAILED, error)
        else:
            work.record = record

    def _describe(
        self,
        work: Work,
        status: Status,
        result: Segmentation | None,
        outputs: dict[str, str],
        masks: str = "",
        *,
        reason: str = "",
        **why: str,
    ) -> CaseRecord:
        texts: dict[str, Any] = {"warnings": work.warnings, "reason": reason}
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
            options=self.fingerprint.options,
            inputs=work.inputs,
            outputs=outputs,
            volumes_ml={} if result is None else volumes_of(result.label_map),
            quality={} if result is None else result.quality,
            seconds=work.seconds,
            reference_modality=work.modality,
            **self._names.clean_value(texts, work.case),
            **why,
        )

    def _unspoken(self, result: Segmentation, masks: str) -> list[str]:
        """What was found or asked for and cannot be stored."""
        if masks:
            return [f"format {name} is not for pictures" for name in self._options.formats if name != "nifti"]
        lost = result.label_map.assessable - self._dialect.expresses
        return [f"dialect {self._dialect.name} cannot store {region}" for region in Region if region in lost]

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
            self._settle(work, "failed", Code.FAILED, error)

    def _settle(self, work: Work, status: Status, code: Code, error: Exception) -> None:
        work.prepared = work.raw = work.raw_without = None
        reason = str(error) if isinstance(error, CaseError) else f"{type(error).__name__}: {error}".rstrip(": ")
        work.record = self._describe(work, status, None, {}, code=code, reason=reason, stage=work.at)
        if log.isEnabledFor(logging.DEBUG) and status == "failed":
            lines = "".join(traceback.format_exception(error)).splitlines()
            log.debug("%s", "\n".join(self._names.clean(line, work.case) for line in lines))

    def _publish_refusal(self, record: CaseRecord) -> None:
        """A refusal replaces what was there; a failure of ours or of the machine never takes a finished result away."""
        before = read_record(record_path(self._out, record.case))
        if record.status == "failed" and before is not None and before.status == "done":
            return
        try:
            publish(record, {}, self._staging)
        except CaseError as error:  # OUT is full: what was there stays, and the run tells of the case
            log.debug("case %s: no record could be written: %s", record.case, error)


def package_versions() -> dict[str, str]:
    """Versions of Python and the packages that results depend on, without importing them."""
    found = {"python": platform.python_version()}
    for package in ("torch", "monai", "numpy", "nibabel"):
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def _same_refusal(before: CaseRecord | None, now: CaseRecord) -> bool:
    kept = ("status", "stage", "code", "reason", "model", "options")
    return before is not None and all(getattr(before, key) == getattr(now, key) for key in kept)
