"""Invented small areas and postcodes: the same in every world, and none of them can exist."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import ndtri

from leap_eval.synthetic.streams import Floats, Ints, Luck

LEAP_WARDS = ("coldharbour", "stockwell", "tulse_hill", "vassall")
OTHER_WARDS = (
    "bishops", "oval", "princes", "larkhall", "clapham_town", "ferndale", "clapham_common",
    "brixton_hill", "herne_hill", "thornton", "streatham_hill", "thurlow_park", "st_leonards",
    "streatham_wells", "knights_hill", "gipsy_hill", "streatham_south",
)  # fmt: skip
DISTRICTS = ("SW2", "SW4", "SW8", "SW9", "SE5", "SE11", "SE24", "SE27")
NEVER = "CIKMOV"  # Royal Mail never uses these in the last two letters
LEAP_AREAS, AREAS, POSTCODES = 42, 181, 4000
# 29 of the 42 LEAP areas lie in deciles 1 to 3 (published: very deprived neighbourhoods).
LEAP_DECILES = (*[1] * 8, *[2] * 12, *[3] * 9, *[4] * 5, *[5] * 4, *[6] * 2, 7, 8)


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """The areas, and the postcodes of each."""

    code: tuple[str, ...]
    ward: tuple[str, ...]
    decile: Ints
    z: Floats  # deprivation, higher is poorer
    postcode: tuple[str, ...]
    area_of: Ints  # postcode -> area


@lru_cache(maxsize=1)
def places() -> Places:
    """Return the borough: 42 areas in LEAP wards, 139 in the rest."""
    luck = Luck(2015)
    ward = [LEAP_WARDS[i % 4] for i in range(LEAP_AREAS)]
    ward += [OTHER_WARDS[i % 17] for i in range(AREAS - LEAP_AREAS)]
    others = 1 + np.floor(9.99 * luck.uniform("places/decile", AREAS - LEAP_AREAS)).astype(int)
    decile = np.concatenate([np.array(LEAP_DECILES), others])
    z = np.round(-0.9 * ndtri((decile - 0.5) / 10) - 0.5, 3)  # 0 on average over the children
    codes, area = _postcodes(luck)
    names = tuple(f"X01{100000 + 7 * i:06d}" for i in range(AREAS))
    return Places(names, tuple(ward), decile, z, codes, area)


def _postcodes(luck: Luck) -> tuple[tuple[str, ...], Ints]:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    ends = [a + b for a in letters for b in letters if a in NEVER or b in NEVER]
    every = [f"{d} {s}{e}" for d in DISTRICTS for s in range(10) for e in ends]
    order = np.argsort(luck.uniform("places/postcode", len(every)), kind="stable")[:POSTCODES]
    return tuple(sorted(every[i] for i in order)), np.arange(POSTCODES) % AREAS


def postcodes_csv() -> str:
    """Return the lookup in the operator's form."""
    at = places()
    rows = [f"{c},{at.code[a]},{at.ward[a]}" for c, a in zip(at.postcode, at.area_of, strict=True)]
    return "\n".join(["postcode,lsoa,ward", *rows]) + "\n"


def deprivation_csv() -> str:
    """Return the deprivation file in the operator's form."""
    at = places()
    return (
        "\n".join(
            ["lsoa,imd_decile", *(f"{c},{d}" for c, d in zip(at.code, at.decile, strict=True))]
        )
        + "\n"
    )
