"""BIDS derivatives: one data set of segmentations for a whole folder of cases.

Source: BIDS specification 1.10, "Imaging derivatives" and "Segmentations": ``dseg`` with its JSON and TSV, ``probseg``
one file a region. The space is ``orig``: the scan's own, nothing is resampled.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bratsseg.errors import CaseError, LabelError
from bratsseg.exchange.labels import Label
from bratsseg.exchange.nifti import named_label_map
from bratsseg.files import digest, json_bytes
from bratsseg.results.record import CaseRecord
from bratsseg.study.patient import JOIN, identify
from bratsseg.study.regions import APPEARANCE, Region
from bratsseg.study.volume import Volume
from bratsseg.study.writing import probability_bytes
from bratsseg.version import __version__

VERSION = "1.10.0"
LESION = 7
"""Index of "Lesion" in the specification's list of common image-derived labels: what ``mapping`` holds."""
_ENTITIES = re.compile(r"sub-(?P<sub>[A-Za-z0-9]+)(?:[_/]ses-(?P<ses>[A-Za-z0-9]+))?")
_NOT_ALLOWED = re.compile(r"[^A-Za-z0-9]+")
_SPACE = {"SpatialReference": "orig"}
_README = """\
# Segmentations of brain tumours

Written by bratsseg {version}, for research use; not a medical device. `*_dseg.nii.gz` holds the label values that
`*_dseg.tsv` names, on the grid of the scan; `*_probseg.nii.gz` holds the probability of one region.
"""


def subject_of(case_name: str) -> str:
    """``sub-<label>`` or ``sub-<label>_ses-<label>`` for a case: letters and digits of its id, nothing else.

    A case that is already called as BIDS asks keeps its entities, and a patient's folder with a visit below it gives
    both. ``CaseError`` when no letter or digit is left.
    """
    entities = _ENTITIES.fullmatch(case_name)
    if entities:
        return "_".join(f"{key}-{value}" for key, value in entities.groupdict().items() if value)
    owner = identify(case_name)
    if JOIN in case_name and owner.patient is not None and owner.visit is not None:
        labels = [_NOT_ALLOWED.sub("", part) for part in (owner.patient, owner.visit.name)]
        if all(labels):
            return f"sub-{labels[0]}_ses-{labels[1]}"
    label = _NOT_ALLOWED.sub("", case_name)
    if not label:
        raise CaseError(f"case {case_name}: BIDS allows letters a to z and digits in a subject, none is in this id")
    return f"sub-{label}"


def collisions(case_names: Iterable[str]) -> dict[str, str]:
    """The cases that cannot be told apart once in BIDS, each with the reason; a file system may ignore case."""
    claims: dict[str, list[str]] = defaultdict(list)
    for name in case_names:
        try:
            claims[subject_of(name).casefold()].append(name)
        except CaseError:
            continue  # refused where it is written
    return {name: _collision(name, names) for names in claims.values() if len(names) > 1 for name in names}


def description_files() -> dict[str, bytes]:
    """What makes a folder a BIDS data set: ``dataset_description.json`` and ``README.md``."""
    made_by = {"Name": "bratsseg", "Version": __version__, "Description": "Segmentation of brain tumours in MRI"}
    description = {
        "Name": "Segmentations of brain tumours",
        "BIDSVersion": VERSION,
        "DatasetType": "derivative",
        "License": "n/a",
        "GeneratedBy": [made_by],
    }
    return {
        "dataset_description.json": json_bytes(description, "dataset_description.json"),
        "README.md": _README.format(version=__version__).encode(),
    }


def case_files(
    subject: str,
    values: NDArray[np.uint8],
    like: Volume,
    labels: Collection[Label],
    *,
    description: str,
    facts: Mapping[str, object],
    probabilities: Mapping[Region, NDArray[np.float32]],
) -> dict[str, bytes]:
    """One case by path below the data set: label values (I, J, K) uint8, their table, ``facts``, probabilities 0..1."""
    folder = "/".join([*subject.split("_"), "anat"])
    stem = f"{folder}/{subject}_space-orig_desc-tumour_dseg"
    image = named_label_map(values, like, description, labels, owner=subject, packed=True)
    # The hash tells the next run whether a person changed the label map since.
    said = {**_SPACE, **facts, "Sha256": digest(image)}
    files = {
        f"{stem}.nii.gz": image,
        f"{stem}.json": json_bytes(said, subject),
        f"{stem}.tsv": _table(labels).encode(),
    }
    for region, probability in probabilities.items():
        stem = f"{folder}/{subject}_space-orig_label-{region}_desc-tumour_probseg"
        told = {**_SPACE, "Manual": False, "Description": APPEARANCE[region].name}
        files[f"{stem}.nii.gz"] = probability_bytes(probability, like, f"{description} {region}", owner=subject)
        files[f"{stem}.json"] = json_bytes(told, subject)
    return files


def remove_others(root: Path, kept: Collection[Path]) -> None:
    """Remove files below ``root`` that only ``case_files`` names and that are not ``kept``, and folders left empty."""
    for path in sorted(root.glob("sub-*/**/anat/sub-*_desc-tumour_*seg.*")):
        if path not in kept:
            path.unlink(missing_ok=True)
            for folder in list(path.parents)[: len(path.relative_to(root).parts) - 1]:
                if not any(folder.iterdir()):
                    folder.rmdir()


def facts_of(dialect: str, record: CaseRecord | None) -> dict[str, object]:
    """What the JSON beside a ``dseg`` says; ``Manual`` only where a record of ours tells whether anybody drew it."""
    what = f"Tumour segmentation; values are of dialect {dialect}, named in the TSV beside this file"
    facts: dict[str, object] = {"Description": what, "Dialect": dialect}
    if record is None:
        return facts
    known = {
        "Model": record.model.model_dump(mode="json"),
        "ReferenceModality": record.reference_modality,
        "VolumesMl": record.volumes_ml,
        "NotAssessable": record.not_assessable,
        "Warnings": list(record.warnings),
    }
    manual = record.label_file in record.edited
    return {"Manual": manual, **facts, **{name: value for name, value in known.items() if value}}


def _collision(name: str, names: Collection[str]) -> str:
    others = " and ".join(sorted(set(names) - {name}))
    return f"case {name}: in BIDS it would be {subject_of(name)}, as would {others}; rename one of them"


def _table(labels: Collection[Label]) -> str:
    rows = [("index", "name", "abbreviation", "color", "mapping")]
    for label in labels:
        if "\t" in label.name:
            raise LabelError(f"label {label.value}: a name in BIDS must hold no tab")
        colour = "#{:02x}{:02x}{:02x}".format(*label.colour)
        rows.append((str(label.value), label.name, label.abbreviation, colour, str(LESION)))
    return "".join("\t".join(row) + "\n" for row in rows)
