"""Clean contacts and results, as they happened, before any partner writes them down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leap_eval.synthetic.families import START
from leap_eval.synthetic.outcomes import MEASURE, SCORES, levels, reported
from leap_eval.synthetic.places import LEAP_AREAS
from leap_eval.synthetic.potential import gain
from leap_eval.synthetic.uptake import NEVER
from leap_eval.synthetic.world import World

END = np.datetime64("2025-03-31")
TERM = 120  # days: what a nursery sends as one row
ADULT_ONLY = 0.22  # families known by an adult only, for each child drawn
ADULT_SERVICES = (
    "healthy_living",
    "being_a_parent",
    "breastfeeding_peer",
    "dv_casework",
    "caseload_midwifery",
)


def contacts(world: World) -> pd.DataFrame:
    """Return person, service, date_from, date_to, sessions, attended: one row per contact."""
    parts = [_of_service(world, i) for i in range(len(world.services))]
    return pd.concat([*parts, _adults_alone(world)], ignore_index=True)


def _of_service(world: World, i: int) -> pd.DataFrame:
    name, p, kids = world.services[i], world.planted.services[world.services[i]], world.children
    who = np.flatnonzero(world.starts[:, i] != NEVER)
    number = world.doses.by(world.starts, 999.0)[who, i]
    first = _first_days(world, i, who)
    child, turn = (
        np.repeat(who, number),
        np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number),
    )
    day = np.repeat(first, number) + turn * p.gap
    if p.kind == "term":
        return _terms(name, child, turn * p.gap // TERM, np.repeat(first, number), p.gap)
    # Before the birth the contact stands on the mother's record: the family reaches the child.
    person = np.where(day < kids.birth[child], len(kids.family) + kids.family[child], child)
    missed = world.luck.true(f"contacts/missed/{name}", 0.07, len(child))
    rows = _frame(person, name, day, "attended")
    late = _frame(person[missed], name, day[missed] + 3, "missed")
    both = pd.concat([rows, late], ignore_index=True)
    return both[both.date_from <= END]


def _first_days(world: World, i: int, who: NDArray[Any]) -> NDArray[Any]:
    kids = world.children
    u = world.luck.uniform(f"contacts/day/{world.services[i]}", len(kids.family))[who]
    month = START + (kids.born[who] + world.starts[who, i])
    day = month.astype("datetime64[D]") + np.floor(28 * u).astype(int)
    # A contact in the month of birth comes after the birth unless it is antenatal.
    at_birth = (world.starts[who, i] == 0) & (day < kids.birth[who])
    return np.asarray(np.where(at_birth, kids.birth[who], day))


def _frame(person: NDArray[Any], service: str, day: NDArray[Any], attended: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "person": person,
            "service": service,
            "date_from": day,
            "date_to": day,
            "sessions": 1,
            "attended": attended,
        }
    )


def _terms(
    service: str, child: NDArray[Any], term: NDArray[Any], first: NDArray[Any], gap: int
) -> pd.DataFrame:
    told = pd.DataFrame({"person": child, "term": term, "first": first})
    rows = told.groupby(["person", "term", "first"], as_index=False).size()
    start = rows["first"].to_numpy() + (rows["term"] * TERM).to_numpy().astype("timedelta64[D]")
    stop = start + ((rows["size"] - 1) * gap).to_numpy().astype("timedelta64[D]")
    made = _frame(rows["person"].to_numpy(), service, start.astype("datetime64[D]"), "attended")
    made["date_to"], made["sessions"] = stop.astype("datetime64[D]"), rows["size"].to_numpy()
    return made[made.date_to <= END]


def _adults_alone(world: World) -> pd.DataFrame:
    n = len(world.children.family)
    known = int(world.children.family.max()) + 1
    some = np.arange(known, min(known + round(ADULT_ONLY * n), len(world.families.area)))
    u = world.luck.uniform("contacts/adults", len(some))
    which = np.floor(len(ADULT_SERVICES) * u).astype(int)
    rows = []
    for i, name in enumerate(ADULT_SERVICES):
        opened = np.datetime64(f"{world.planted.services[name].open[0]}-04-05")
        shut = np.datetime64(f"{world.planted.services[name].open[1]}-03-20")
        who = some[which == i]
        v = world.luck.uniform(f"contacts/adults/{name}", len(some))[which == i]
        day = opened + np.floor(v * (shut - opened).astype(int)).astype(int)
        rows.append(_frame(n + who, name, day, "attended"))
    return pd.concat(rows, ignore_index=True)


def results(world: World) -> pd.DataFrame:
    """Return person, partner, instrument, item, measured_on, value, level: one row per result."""
    rows = [_result(world, dim) for dim in MEASURE if dim != "wemwbs"]
    return pd.concat([*rows, *_births(world)], ignore_index=True)


def _result(world: World, dim: str) -> pd.DataFrame:
    measure = MEASURE[dim]
    who = np.flatnonzero(world.latent.recorded[measure])
    y = (world.latent.base[dim] + gain(world, dim, world.starts))[who]
    day, age = world.latent.day[measure][who], world.latent.age[measure][who]
    partner, instrument, item = _named(dim, age)
    words = dim in ("feeding", "wellcomm")
    return pd.DataFrame(
        {
            "person": who, "partner": partner, "instrument": instrument, "item": item,
            "measured_on": day,
            "value": np.full(len(who), np.nan) if words else reported(dim, y),
            "level": levels(dim, y) if words else None,
        }
    )  # fmt: skip


def _named(dim: str, age: NDArray[Any]) -> tuple[str, Any, str]:
    if dim in SCORES:
        return "thameside_community", np.where(age < 28.5, "asq3@27", "asq3@30"), dim
    return {
        "asqse2": ("thameside_community", "asqse2", "total"),
        "gld": ("borough_council", "eyfsp@2021", "gld"),
        "wellcomm": ("childrens_centres", "wellcomm", "section"),
        "bmi": ("thameside_community", "ncmp", "bmi_centile"),
        "feeding": ("thameside_community", "feeding", "status_6_8_weeks"),
        "registered": ("thameside_community", "dental", "registered"),
        "dmft": ("thameside_community", "dental", "dmft"),
    }[dim]


def _births(world: World) -> list[pd.DataFrame]:
    kids = world.children
    here = (kids.arrive <= 0) & world.luck.true("outcomes/recorded/birth", 0.97, len(kids.family))
    who = np.flatnonzero(here & (kids.birth >= np.datetime64("2015-04-01")))
    return [
        pd.DataFrame(
            {
                "person": who, "partner": "riverside_hospital", "instrument": "birth", "item": item,
                "measured_on": kids.birth[who], "value": column[who].astype(float), "level": None,
            }
        )
        for item, column in (("weight_g", kids.weight), ("gestation_weeks", kids.gestation))
    ]  # fmt: skip


def outside(world: World) -> NDArray[np.bool_]:
    """Return which children live outside the LEAP wards."""
    return world.children.area >= LEAP_AREAS
