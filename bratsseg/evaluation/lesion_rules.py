"""The parameters of each BraTS challenge's lesion-wise scores, as data.

Read from the organisers' scripts: ``metrics.py`` of rachitsaluja/BraTS-2023-Metrics at commit 43c9052 and
``metrics_{GLI,SSA,PED,MEN,MET}.py`` of rachitsaluja/BraTS-2024-Metrics at commit f1131e3.

Where a script does what its author can hardly have meant, ``official_quirks=True`` (the default, needed to compare
with published numbers) does the same and ``False`` does what was meant:

- GLI 2024: edema was to be dilated 5 times like the other tissues, but the script asks for ``"SFNH"``, so 3.
- MET 2024: a missed or false lesion costs the diagonal of the array counted in voxels, though HD95 is in mm.
"""

from __future__ import annotations

from bratsseg.config import Config
from bratsseg.errors import UsageError


class RegionRule(Config):
    """How one region's lesions are told apart and counted."""

    values: tuple[int, ...]
    """Label values of the region in the challenge's own files."""
    dilation: int
    """How often the 18-neighbourhood is dilated; parts that then touch are one lesion."""
    meant_dilation: int | None = None
    """The same where ``official_quirks`` is False; None: no difference."""
    smallest_mm3: float
    """Truth lesions of at most so many mm³ are not counted."""
    smallest_voxels: int = 0
    """Predicted lesions of at most so many voxels are removed first."""
    joined_by: tuple[str, ...] = ()
    """Tissues that join lesions of this one when they touch them."""
    scored: bool = True
    """False for a tissue that only joins others."""


class LesionRules(Config):
    """One challenge's way to score lesion by lesion."""

    challenge: str
    """GLI, SSA, PED, MEN or MET."""
    year: int
    """Year of the script."""
    regions: dict[str, RegionRule]
    """By the challenge's own names."""
    penalty_mm: float | None
    """HD95 of a missed or false lesion; None: the diagonal of the array."""
    merge_predictions: bool
    """True where predicted parts merge by dilation as those of the truth do."""
    surface_dice: bool
    """True where NSD at 0.5 and 1.0 mm is scored too."""
    official_quirks: bool = True
    """True: what the script does. False: what was meant."""

    def dilation(self, region: str) -> int:
        """How often a region's lesions are dilated."""
        rule = self.regions[region]
        return rule.dilation if self.official_quirks or rule.meant_dilation is None else rule.meant_dilation


def lesion_rules(challenge: str, year: int, official_quirks: bool = True) -> LesionRules:
    """The preset of a challenge; 2025 scores as 2024 does. ``UsageError`` for one that is not known."""
    key = (challenge.upper(), 2024 if year == 2025 else year)
    if key not in PRESETS:
        known = ", ".join(f"{name} {when}" for name, when in PRESETS)
        raise UsageError(f"lesion-wise rules must be one of {known}; was {challenge} {year}")
    return PRESETS[key].model_copy(update={"official_quirks": official_quirks})


def rules_by_name(name: str) -> LesionRules | None:
    """``GLI-2023`` as rules, or None for ``none``; ``UsageError`` lists the known ones."""
    if name.lower() == "none":
        return None
    challenge, _, year = name.upper().rpartition("-")
    if not year.isdigit():
        raise UsageError(f"--lesions {name!r}: must be a challenge and a year, such as GLI-2023, or none")
    return lesion_rules(challenge, int(year))


_VALUES = {"WT": (1, 2, 3), "TC": (1, 3), "NETC": (1,), "SNFH": (2,), "ET": (3,), "RC": (4,)}
_PED_VALUES = {"WT": (1, 2, 3, 4), "TC": (1, 2, 3), "ET": (1,), "NETC": (2,), "CC": (3,), "ED": (4,)}


def _of_2023(challenge: str, dilation: int, smallest: int, *, surface_dice: bool = False) -> LesionRules:
    rules = {
        name: RegionRule(values=_VALUES[name], dilation=dilation, smallest_mm3=smallest) for name in ("WT", "TC", "ET")
    }
    return LesionRules(
        challenge=challenge,
        year=2024 if surface_dice else 2023,
        regions=rules,
        penalty_mm=374.0,
        merge_predictions=False,
        surface_dice=surface_dice,
    )


def _of_2024(challenge: str, regions: dict[str, RegionRule], penalty_mm: float | None) -> LesionRules:
    return LesionRules(
        challenge=challenge,
        year=2024,
        regions=regions,
        penalty_mm=penalty_mm,
        merge_predictions=True,
        surface_dice=True,
    )


def _rule(values: tuple[int, ...], dilation: int, smallest: int, *joined_by: str, scored: bool = True) -> RegionRule:
    return RegionRule(
        values=values,
        dilation=dilation,
        smallest_mm3=smallest,
        smallest_voxels=smallest,
        joined_by=joined_by,
        scored=scored,
    )


_EDEMA_2024 = _rule(_VALUES["SNFH"], 3, 20, "ET", "RC", "NETC").model_copy(update={"meant_dilation": 5})
_GLI_2024 = {
    "WT": _rule(_VALUES["WT"], 3, 20),
    "TC": _rule(_VALUES["TC"], 3, 20),
    "NETC": _rule(_VALUES["NETC"], 5, 20, "ET", "RC"),
    "SNFH": _EDEMA_2024,
    "ET": _rule(_VALUES["ET"], 3, 10, "NETC", "RC"),
    "RC": _rule(_VALUES["RC"], 5, 20, "ET", "NETC"),
}


def _core_joined(dilation: int, smallest: int, *more: str) -> dict[str, RegionRule]:
    """SSA and MET 2024: only enhancing lesions are joined, and only by necrosis."""
    rules = {name: _rule(_VALUES[name], dilation, smallest) for name in ("WT", "TC")}
    rules["ET"] = _rule(_VALUES["ET"], dilation, smallest, "NETC")
    rules |= {name: _rule(_VALUES[name], dilation, smallest) for name in more}
    return rules | {"NETC": _rule(_VALUES["NETC"], dilation, smallest, scored=False)}


_PRESETS = (
    _of_2023("GLI", 3, 50),
    _of_2023("SSA", 3, 50),
    _of_2023("PED", 3, 50),
    _of_2023("MEN", 1, 50),
    _of_2023("MET", 1, 2),
    _of_2024("GLI", _GLI_2024, 337.0),
    _of_2024("SSA", _core_joined(3, 50), 374.0),
    _of_2024("PED", {name: _rule(values, 5, 10) for name, values in _PED_VALUES.items()}, 374.0),
    _of_2023("MEN", 1, 50, surface_dice=True),
    _of_2024("MET", _core_joined(1, 2, "RC"), None),
)
PRESETS = {(rules.challenge, rules.year): rules for rules in _PRESETS}
