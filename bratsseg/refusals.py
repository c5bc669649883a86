"""What each code of ``errors`` means, and what to do about it: for people who find one in a table or a record."""

from __future__ import annotations

from dataclasses import dataclass

from bratsseg.errors import Code


@dataclass(frozen=True)
class Advice:
    """A code in words: what it means, and what whoever meets it can do."""

    means: str
    to_do: str


ADVICE: dict[Code, Advice] = {
    Code.ERROR: Advice(
        "Something went wrong on purpose, without a kind of its own.",
        "Read the reason beside it; it names what must be changed.",
    ),
    Code.WRONG_USE: Advice(
        "The command or the call itself is wrong, whatever the data.",
        "Correct the command as the message says; bratsseg VERB --help lists what it takes.",
    ),
    Code.CONFIG_INVALID: Advice(
        "A config file, or a value given over it, is refused: an unknown key, a wrong type, or two that contradict.",
        "Correct the key that the message names.",
    ),
    Code.MODEL_INVALID: Advice(
        "A released model cannot be found, is damaged, or is of a version that this software does not know.",
        "Look with bratsseg models at what there is; copy a damaged model folder again.",
    ),
    Code.DIALECT_UNKNOWN: Advice(
        "Nothing says what the values of the label maps mean, or the values contradict what was said.",
        "Name the convention with --dialect, or with --predicted-dialect and --reference-dialect.",
    ),
    Code.TRAINING_FAILED: Advice(
        "A training run cannot go on; its last checkpoint is kept.",
        "Remove the cause that the message names and start the same command again: it goes on from the checkpoint.",
    ),
    Code.CASE_INVALID: Advice(
        "This case cannot be used as it is, for a reason that has no code of its own.",
        "Read the reason beside it; often an id that cannot name a folder, or files that do not belong together.",
    ),
    Code.UNREADABLE: Advice(
        "A file is missing, cut short, damaged, or not what its name says.",
        "Copy it again from where it came; if it opens in another program, save it there as NIfTI.",
    ),
    Code.CONTENT_INVALID: Advice(
        "The voxels cannot be a scan: not a number, one value everywhere, nothing at all, or more than one volume.",
        "Look at the scan in a viewer; export it again, or name the volume of a 4-D file in a layout.",
    ),
    Code.MODALITY_MISSING: Advice(
        "The model needs a scan that the case lacks.",
        "Add the scan, or correct its file name so that it is known for what it is (bratsseg check tells); "
        "otherwise choose a model that needs less with --model.",
    ),
    Code.MODALITY_AMBIGUOUS: Advice(
        "Two files claim to be the same kind of scan, or one file's name says two kinds.",
        "Rename or remove one, or say which file is which with --layout.",
    ),
    Code.GEOMETRY_INVALID: Advice(
        "The header does not say clearly where the voxels lie.",
        "Convert the scan again from DICOM; or decide with --trust-form, --accept-no-form-codes or --accept-shear.",
    ),
    Code.GRIDS_DIFFER: Advice(
        "Volumes that must lie on one grid of voxels do not.",
        "Register and resample the scans of the case to one of them first.",
    ),
    Code.SKULL_ON: Advice(
        "The scan still shows skull or the noise of air; the model expects a brain alone.",
        "Extract the brain first, or put a brain mask beside the scans.",
    ),
    Code.NOT_A_BRAIN_SCAN: Advice(
        "What was measured of the scan is unlike the brains that the model is for.",
        "Look at it: another organ, a phantom, a wrong spacing. If it is a brain: --force goes on, with a warning.",
    ),
    Code.LABELS_INVALID: Advice(
        "A label map holds values that its convention does not know, or that are no whole numbers.",
        "Name the right convention, or save the label map again with whole numbers.",
    ),
    Code.NOT_WRITTEN: Advice(
        "A result could not be written; nothing half-written is left, and what was there stays.",
        "Make room on the disk, or get the right to write there, and start the same command again.",
    ),
    Code.FAILED: Advice(
        "The software or the machine failed at this case: a fault that nobody foresaw, or too little memory.",
        "Start the same command again, with --verbose for the place in the software; if it stays, report it.",
    ),
    Code.NO_PREDICTION: Advice(
        "A reference has no prediction to be compared with.",
        "Segment that case as well, or leave its reference out.",
    ),
    Code.NO_REFERENCE: Advice(
        "A prediction has no reference to be compared with.",
        "Add the reference under the same case id; otherwise nothing is wrong.",
    ),
    Code.LABELS_AMBIGUOUS: Advice(
        "Several label maps claim one case.",
        "Keep one of them in the folder.",
    ),
}
"""Every code, in the order of ``Code``."""


def as_text() -> str:
    """The whole list for a terminal."""
    return "\n".join(f"{code}\n  {advice.means}\n  To do: {advice.to_do}" for code, advice in ADVICE.items())


def as_markdown() -> str:
    """The same as a table of Markdown."""
    rows = [f"| `{code}` | {advice.means} | {advice.to_do} |" for code, advice in ADVICE.items()]
    return "\n".join(("| code | what it means | what to do |", "|---|---|---|", *rows))
