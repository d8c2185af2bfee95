"""Families and children: when born, where, of whom, and what is recorded of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from leap_eval.synthetic.names import forenames, surnames
from leap_eval.synthetic.places import LEAP_AREAS, places
from leap_eval.synthetic.streams import Floats, Ints, Luck

SHARES = {
    "A": 33, "B": 1, "C": 14, "D": 6, "E": 2.5, "F": 2.5, "G": 5, "H": 1.5, "J": 1, "K": 1,
    "L": 1.5, "M": 7.5, "N": 14.5, "P": 4, "R": 1, "S": 4,
}  # fmt: skip
START = np.datetime64("2015-01", "M")
MONTHS = 108  # births 2015-01 to 2023-12
FOREVER = 999.0
DAYS = 30.4375  # a month of age


@dataclass(frozen=True, slots=True, eq=False)
class Families:
    """One entry per family."""

    ethnicity: NDArray[Any]
    area: Ints
    dep: Floats
    eal: Ints
    engagement: Floats
    shared: Floats  # what brothers and sisters share in development
    events_only: NDArray[np.bool_]
    second_adult: NDArray[np.bool_]
    mother: list[str]
    mother_surname: list[str]
    partner: list[str]
    partner_surname: list[str]
    mother_birth: NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Children:
    """One entry per child."""

    family: Ints
    birth: NDArray[Any]  # datetime64[D]
    born: Ints  # months since 2015-01
    twin: Ints  # 1 single, 2 one of two
    rank: Ints  # order among the family's children
    parity: Ints
    male: Ints
    disability: Ints
    gestation: Ints
    weight: Ints
    weight_z: Floats
    u: Floats  # development, seen by no partner
    need: Ints
    concern12: NDArray[np.bool_]
    concern24: NDArray[np.bool_]
    arrive: Floats  # age in months
    leave: Floats
    area: Ints
    postcode: Ints
    old_postcode: Ints
    moved: Floats  # age in months of the move within
    forename: list[str]
    surname: list[str]
    nhs: list[str]
    upn: list[str]


def families(luck: Luck, n: int) -> Families:
    """Draw families: where they live, what they speak, what they bring."""
    at = places()
    cuts = np.cumsum(list(SHARES.values())) / sum(SHARES.values())
    code = np.array(list(SHARES))[np.searchsorted(cuts, luck.uniform("families/ethnicity", n))]
    inside = luck.true("families/inside", 0.8, n)
    u = luck.uniform("families/area", n)
    area = np.where(inside, np.floor(u * LEAP_AREAS), LEAP_AREAS + np.floor(u * (181 - LEAP_AREAS)))
    area = area.astype(int)
    black, british = np.isin(code, list("MNP")), code == "A"
    dep = (
        0.75 * at.z[area]
        + 0.66 * luck.normal("families/dep", n)
        + 0.25 * black
        - 0.35 * british
        + 0.1
    )
    logit = -2.2 + 1.3 * (code == "N") + 2.0 * np.isin(code, list("HJKL")) + 2.6 * (code == "C")
    logit = logit + 2.8 * (code == "S") + 0.2 * dep
    eal = luck.true("families/language", 1 / (1 + np.exp(-logit)), n).astype(int)
    letters = code.tolist()
    surname = surnames(luck, "mother", letters)
    other = surnames(luck, "partner", letters)
    same = luck.true("families/same_surname", 0.62, n)
    age = np.clip(31.5 - 1.6 * dep + 5.3 * luck.normal("families/mother_age", n), 15, 48)
    year = 2019 - np.round(age).astype(int)
    days = np.floor(365 * luck.uniform("families/mother_day", n)).astype(int)
    return Families(
        ethnicity=code,
        area=area,
        dep=dep,
        eal=eal,
        engagement=luck.normal("families/engagement", n),
        shared=luck.normal("families/shared", n),
        events_only=luck.true("families/events_only", 0.11, n),
        second_adult=luck.true("families/second_adult", 0.68, n),
        mother=forenames(luck, "mother", letters, np.zeros(n, int)),
        mother_surname=surname,
        partner=forenames(luck, "partner", letters, np.ones(n, int)),
        partner_surname=[a if s else b for a, b, s in zip(surname, other, same, strict=True)],
        mother_birth=(year - 1970).astype("datetime64[Y]").astype("datetime64[D]") + days,
    )


def _sizes(luck: Luck, n: int) -> tuple[Ints, Ints]:
    u = luck.uniform("families/size", n)
    size = 1 + (u > 0.835).astype(int) + (u > 0.985)
    family = np.repeat(np.arange(n), size)[:n]
    rank = np.concatenate([[0], np.diff(family) == 0]).astype(int)
    rank[2:] += rank[2:] * (rank[1:-1] > 0)
    return family, rank


def _births(luck: Luck, family: Ints, rank: Ints) -> tuple[NDArray[Any], Ints, Ints]:
    n = len(family)
    first = luck.uniform("families/birth", n)[family] * MONTHS
    gap = 12 + 48 * luck.uniform("families/gap", n)
    twin = (rank == 1) & luck.true("families/twin", 0.10, n)
    step = np.where(twin | (rank == 0), 0, rank * gap)
    month = np.floor(first + step).astype(int)
    fold = month >= MONTHS
    month = np.where(fold, np.clip(np.floor(first - step), 0, MONTHS - 1).astype(int), month)
    day = np.floor(28 * luck.uniform("families/birth_day", n)).astype(int)
    with_first = np.flatnonzero(twin)
    month[with_first], day[with_first] = month[with_first - 1], day[with_first - 1]
    pair = np.ones(n, int)
    pair[with_first], pair[with_first - 1] = 2, 2
    return (START + month).astype("datetime64[D]") + day, month, pair


def children(
    luck: Luck, n: int, fam: Families, leaving: tuple[float, float, float] | None = None
) -> Children:
    """Draw children of these families, with their recorded background."""
    family, rank = _sizes(luck, n)
    birth, born, twin = _births(luck, family, rank)
    dep, eal = fam.dep[family], fam.eal[family]
    male = luck.true("children/male", 0.512, n).astype(int)
    early = np.clip(
        39.6 - 0.15 * dep + 1.5 * luck.normal("children/gestation", n) - 3.2 * (twin == 2), 25, 42
    )
    weeks = np.floor(early).astype(int)
    z = -0.12 * dep + luck.normal("children/weight", n)
    weight = 10 * np.round(
        (3450 + 440 * z + 110 * male + 160 * (weeks - 39.5) - 250 * (twin == 2)) / 10
    )
    z = np.clip((weight - 3350) / 550, -4, 4)
    u = luck.normal("children/development", n)
    need = 0.45 * dep + 0.25 * eal - 0.2 * z + 0.2 * male + 0.7 * luck.normal("children/need", n)
    early_concern = -0.6 * u + 0.3 * dep + 0.7 * luck.normal("children/concern12", n)
    late_concern = -0.8 * u + 0.3 * dep + 0.6 * luck.normal("children/concern24", n)
    weak = luck.true("children/disability", 0.045 + 0.02 * male + 0.06 * (weeks < 32), n)
    level, by_dep, by_u = leaving or (-5.05, 0.12, 0.0)
    hazard = np.exp(level + by_dep * dep + by_u * u + 0.15 * (fam.ethnicity[family] == "C"))
    arrive, leave, moved = _residence(luck, n, hazard)
    code, old = _homes(luck, family, fam)
    letters = fam.ethnicity[family].tolist()
    by_mother = luck.true("children/surname_of_mother", 0.5, n)[family]
    surname = [
        fam.mother_surname[f] if m else fam.partner_surname[f]
        for f, m in zip(family, by_mother, strict=True)
    ]
    cut = 0.95
    return Children(
        family=family, birth=birth, born=born, twin=twin, rank=rank,
        parity=rank + luck.true("children/earlier", 0.42, n)[family].astype(int),
        male=male, disability=weak.astype(int), gestation=weeks,
        weight=np.clip(weight, 500, 5800).astype(int), weight_z=z, u=u,
        need=(need > cut * ndtri(0.80)).astype(int) + (need > cut * ndtri(0.98)),
        concern12=early_concern > 1, concern24=late_concern > 0.9,
        arrive=arrive, leave=leave, area=fam.area[family], postcode=code, old_postcode=old,
        moved=moved, forename=forenames(luck, "child", letters, male), surname=surname,
        nhs=nhs_numbers(luck, "children/nhs", n, 0), upn=_pupils(n),
    )  # fmt: skip


def _residence(luck: Luck, n: int, hazard: Floats) -> tuple[Floats, Floats, Floats]:
    comes = luck.true("children/arrives", 0.18, n)
    arrive = np.where(comes, np.ceil(36 * luck.uniform("children/arrival", n) ** 1.6), -12.0)
    leave = np.floor(np.maximum(arrive, 0) + luck.exponential("children/leaving", n) / hazard) + 1
    leave = np.where(leave > 120, FOREVER, leave)
    homeless = luck.true("children/temporary", 0.06, n)
    yearly = np.where(homeless, 0.27, 0.09)
    return arrive, leave, np.floor(luck.exponential("children/move", n) / yearly * 12)


def _homes(luck: Luck, family: Ints, fam: Families) -> tuple[Ints, Ints]:
    # Postcode i lies in area i mod 181: a family's home is drawn in its own area.
    def home(name: str) -> Ints:
        u = luck.uniform(name, len(fam.area))
        return np.asarray(fam.area + 181 * np.floor(22 * u).astype(int))

    return home("families/home")[family], home("families/old_home")[family]


def nhs_numbers(luck: Luck, name: str, n: int, offset: int) -> list[str]:
    """Return distinct numbers of the test range 999 with their check digit."""
    order = np.argsort(luck.uniform(name, 400_000), kind="stable")
    out: list[str] = []
    for number in order[offset:].tolist():
        digits = f"999{number:06d}"
        check = 11 - sum(int(d) * (10 - i) for i, d in enumerate(digits)) % 11
        if check != 10:
            out.append(digits + str(0 if check == 11 else check))
        if len(out) == n:
            break
    return out


def _pupils(n: int) -> list[str]:
    letters = "ABCDEFGHJKLMNPQRTUVWXYZ"
    out = []
    for i in range(n):
        digits = f"299{2000 + i // 1000:04d}{i:05d}"[:12]
        out.append(letters[sum((k + 2) * int(d) for k, d in enumerate(digits)) % 23] + digits)
    return out
