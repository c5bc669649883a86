"""What the name of a folder or file says of a visit: a date, a word such as ``baseline``, or nothing.

A name *tells* whose case it is when a word is left in it that is no date, no word for a visit and no plain technical
name. ``Miller`` and ``BraTS2021_00012`` tell; ``2019-01-11``, ``visit2``, ``MRI_20190111``, ``anat`` and ``nifti`` do
not: every patient has them.

Words are those of English, German, French, Spanish, Italian, Portuguese, Dutch, Polish, Turkish, Chinese, Japanese,
as hospitals and public data sets write them (BIDS ``ses-01``; LUMIERE ``week-000-1``; MU-Glioma-Post ``Timepoint_1``;
UCSF ``FU003d``; TCIA ``06-08-1997-NA-MRI BRAIN-81239``). ``control`` is none of them: it is also a healthy person.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from bratsseg.study.day import dates_in, may_be_date


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# These say visit, whatever number is beside them.
_VISIT = _set(
    """visit visits visite visita visitas besuch wizyta bezoek ziyaret session sessions sess ses sesion sessione
    seance seduta sitzung timepoint timepoints tp time zeitpunkt tijdstip followup followups follow fu fup verlauf
    verlaeufe verlaufskontrolle verlaufskontrollen verlaufs kontrolle kontrollen nachsorge nachkontrolle controle
    controles controllo suivi seguimiento acompanhamento opvolging kontrola kontrol baseline bl basal basale
    ausgangsbefund erstbefund erstdiagnose initial initiale iniziale inicial screening
    pre post preop postop intraop prae pra before after vorher nachher avant apres antes despues prima dopo voor
    diagnosis dx primary recurrence recurrent relapse progression rezidiv recidive recidiva recidivo
    first second third last previous current prior final
    month months mo monat monate monaten mois mes meses mese mesi maand maanden miesiac
    week weeks wk woche wochen semaine semaines semana semanas settimana settimane tydzien hafta
    day days tag tage jour jours dia dias giorno giorni dag dagen dzien
    year years yr jahr jahre annee annees ano anos anno anni jaar rok
    术前 术后 術前 術後 随访 隨訪 复查 初診 再診 初诊 経過 基线"""
)
_AROUND = _set(
    """op surgery surgical operative operation operativ operatif operatoire operatorio operatoria treatment therapy
    therapie tx rt radiation radiotherapy radiotherapie bestrahlung chemo chemotherapy crt rct rcx tmz bev biopsy
    biopsie resection resektion up bestrahlungs opera"""
)
_TIMED = re.compile(
    r"(?:pre|prae|pra|post|intra|peri)(?:op|operat[a-z]*|surg[a-z]*|treat[a-z]*|therap[a-z]*|rt|radi[a-z]*|chemo[a-z]*"
    r"|crt|biops[a-z]*|rese[ck]t[a-z]*|bestrahlung)"
)
_UNITS = _set("m mo w wk d y yr j")
"""Of time after a number: 3m, 12w."""
# These say visit with one or two digits, or a year (scan1, MRI 2019); a longer number counts cases (scan_001).
_SCAN = _set(
    """scan scans study studies studie exam exams examen examination esame untersuchung aufnahme mri mris mr mrt irm
    rm rmn ct cct pet imaging bildgebung series serie badanie onderzoek"""
)
# These say nothing of whose it is.
_PLAIN = _set(
    """anat nifti niftis nii niigz gz dicom dicoms dcm data raw rawdata images image imgs img imagestr imagests files
    file volumes vol processed preprocessed preprocessing preproc prep converted registered coregistered coreg reg
    aligned skullstripped stripped skull brain head orig original originals warped cropped resampled normalized
    normalised bet hdbet export mha mhd nrrd analyze modalities sequences sequence neuro cerebral cerebrum cranial
    schadel schaedel kopf gehirn cerveau crane cerebro cervello encephale encefalo contrast with without wo w na and
    und of the number nr no st nd rd th intra peri"""
)
_MODALITY = re.compile(r"(?<![a-z\d])(?:t[12](?:wi|w|ce|c|gd|km|n|f)?|flair|swi|dwi|adc)(?![a-z\d])")
_NUMBERED = re.compile(r"(?<![a-z\d])([vmt])(\d{1,3})(?![a-z\d])")
_TOKEN = re.compile(r"[^\W\d_]+|\d+")
# What a patient's identifier looks like: P1, pat_03, sub-07; and a name: Miller_Anna.
_PATIENT_WORDS = _set("p pat patient pt sub subj subject proband id case fall paciente paziente pacjent hasta s")
_COLLECTIONS = _set(
    """dataset datasets task fold batch part site center centre zentrum cohort group set split run release version
    brats clinic hospital project train training test testing val validation hgg lgg"""
)
_PERSON = re.compile(r"[A-ZÀ-Þ][^\W\d_]+(?:, | |_|,)[A-ZÀ-Þ][^\W\d_]+")


@dataclass(frozen=True)
class VisitName:
    """A visit as the user names it. ``order`` is the kind of its number and the number: ("visit", 2).

    ``sure`` is False where the name may number patients as well: ``2``, ``190111``, ``scan1``.
    """

    name: str
    day: date | None = None
    order: tuple[str, int] | None = None
    sure: bool = True


def read_visit(name: str, parent: str = "") -> VisitName | None:
    """The visit that all of ``name`` speaks of, or None.

    What may be a plain number as well (190111, 2019, 2) is a visit only when ``parent``, the name of the folder
    above, looks like a patient's identifier; what may be a date also when it looks like a name (Miller_Anna).
    """
    words = _read(name)
    if words.says_visit:
        return VisitName(name, words.day, words.order, sure=words.dated or words.visit)
    dated = may_be_date(name) and (looks_like_patient(parent) or _PERSON.fullmatch(parent) is not None)
    counted = re.fullmatch(r"\d{1,2}", name) is not None and looks_like_patient(parent)
    return VisitName(name, sure=False) if dated or counted else None


def is_sure_visit(name: str) -> bool:
    """True when ``name`` is a visit's whatever lies above: a date or a word, not ``2`` or ``scan1``."""
    visit = read_visit(name)
    return visit is not None and visit.sure


def is_technical(name: str) -> bool:
    """True for a plain technical name such as ``anat`` or ``NIfTI_files``, which says nothing of whose it is."""
    return _read(name).says_nothing


def tells(name: str, parent: str = "") -> bool:
    """True when ``name`` may say whose case it is: it is no visit and no plain technical name."""
    return bool(name) and not is_technical(name) and read_visit(name, parent) is None


def looks_like_patient(name: str) -> bool:
    """True for P1, pat_03, RHUH-0001 or 104233; False for BraTS2021, site_001, clinic or Miller."""
    tokens = _TOKEN.findall(_plain(name))
    if not tokens or not tokens[-1].isdigit() or _COLLECTIONS & set(tokens) or not tells(name):
        return False
    if _PATIENT_WORDS & set(tokens):
        return True
    return len(tokens[-1]) >= 3 and not may_be_date(tokens[-1])


@dataclass(frozen=True)
class _Words:
    """The words of a name by kind; ``other`` are those that may be somebody's."""

    dated: bool
    day: date | None
    order: tuple[str, int] | None
    visit: bool
    scan: bool
    plain: bool
    modality: bool
    numbers: tuple[str, ...]
    other: bool

    @property
    def says_visit(self) -> bool:
        if self.other or (not self.dated and any(_numbers_cases(number) for number in self.numbers)):
            return False
        few = len(self.numbers) == 1 and len(self.numbers[0]) != 3
        return self.dated or self.visit or (self.scan and few and not self.modality)

    @property
    def says_nothing(self) -> bool:
        known = self.scan or self.plain or self.modality
        return known and not (self.other or self.numbers or self.dated or self.visit)


def _numbers_cases(number: str) -> bool:
    """True for a number too long for one of visits, unless it is a year: 100101_time1 is somebody's."""
    return len(number) > 3 and not (len(number) == 4 and may_be_date(number))


def _read(name: str) -> _Words:
    text = _plain(name)
    dates = list(dates_in(text))
    for written in reversed(dates):
        text = f"{text[: written.start]} {text[written.end :]}"
    modality = _MODALITY.search(text) is not None
    text = _MODALITY.sub(" ", text)
    numbered = _NUMBERED.search(text)
    order = (numbered[1], int(numbered[2])) if numbered else None
    tokens = _TOKEN.findall(_NUMBERED.sub(" ", text))
    kinds = [_kind(token, tokens[n - 1] if n else "", n + 1 == len(tokens)) for n, token in enumerate(tokens)]
    return _Words(
        dated=bool(dates),
        day=next((written.day for written in dates if written.day is not None), None),
        order=None if dates else order or _order(tokens, kinds),
        visit="visit" in kinds or numbered is not None,
        scan="scan" in kinds,
        plain="plain" in kinds,
        modality=modality,
        numbers=tuple(token for token in tokens if token.isdigit()),
        other="other" in kinds,
    )


def _kind(token: str, before: str, last: bool) -> str:
    if token.isdigit():
        return "number"
    if token in _VISIT or _TIMED.fullmatch(token) or (before.isdigit() and token in _UNITS):
        return "visit"
    if token in _AROUND and (before in _VISIT or before in ("intra", "peri")):
        return "visit"
    if last and len(token) == 1 and (before in _VISIT or before.isdigit()):
        return "plain"  # visit_A, visit2a
    return "scan" if token in _SCAN else "plain" if token in _PLAIN else "other"


def _order(tokens: list[str], kinds: list[str]) -> tuple[str, int] | None:
    """The number of a visit where there is one number only: visit_2, week 12, FU003d; not ``week-000-1``."""
    numbers = [int(token) for token in tokens if token.isdigit()]
    named = [token for token, kind in zip(tokens, kinds, strict=True) if kind in ("visit", "scan")]
    return (" ".join(named), numbers[0]) if len(numbers) == 1 and numbers[0] < 1000 and named else None


def _plain(name: str) -> str:
    """Lower case without accents, camel case split: ``FollowUp`` is two words, ``praeOP`` one."""
    apart = re.sub(r"(?<=[a-z]{2})(?=[A-Z][a-z])", " ", name)
    split = unicodedata.normalize("NFKD", apart.lower().replace("ß", "ss"))
    return "".join(sign for sign in split if not unicodedata.combining(sign))
