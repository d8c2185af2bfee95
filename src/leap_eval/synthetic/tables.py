"""Who is on file where: the records of every partner, with the dirt of its registration desk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leap_eval.contracts import GROUPS5
from leap_eval.reference.ethnicity import NHS2001
from leap_eval.synthetic import events
from leap_eval.synthetic.dirt import spoiled
from leap_eval.synthetic.families import FOREVER, nhs_numbers
from leap_eval.synthetic.places import places
from leap_eval.synthetic.world import World
from leap_eval.tokens import Keys, family_key, person_pseudonym, record_key
from leap_eval.tokens.keys import demo_key, family_id, study_id

NHS = ("riverside_hospital", "thameside_community", "southbank_minds")
PARTNERS = (
    *NHS, "borough_council", "childrens_centres", "leap_community", "milk_and_more",
    "story_doorstep", "healthy_table",
)  # fmt: skip
NEW_SYSTEM = np.datetime64("2019-07-01")  # childrens_centres: all references new, no crosswalk
MOTHER, SECOND = 0.72, 0.14  # how often a service writes down the mother, the second adult


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """Records, and contacts and results by record: what the partners hold in their systems."""

    people: pd.DataFrame
    contacts: pd.DataFrame
    outcomes: pd.DataFrame
    reviews: pd.DataFrame  # record, day: a review alone also brings a person row


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Clean tables in the contracts of stages 01 and 02."""

    persons: pd.DataFrame
    contacts: pd.DataFrame
    outcomes: pd.DataFrame
    links: pd.DataFrame


def records(world: World) -> Records:
    """Return all partners' records: every person with a contact, a result or a review there."""
    met = events.contacts(world)
    met["partner"] = met.service.map({s: t.partner for s, t in world.planted.services.items()})
    seen = events.results(world)
    looked = _reviews(world)
    met, seen = _copied(world, met, "date_from"), _copied(world, seen, "measured_on")
    looked = looked.assign(copy=0)
    keys = ["partner", "person", "copy"]
    own = pd.concat([met[keys], seen[keys], looked[keys]]).drop_duplicates()
    people = (
        pd.concat([own, _adults(world, own)]).drop_duplicates().sort_values(keys, ignore_index=True)
    )
    people["record"] = np.arange(len(people))
    people = spoiled(world, _described(world, people))
    return Records(
        people,
        *(
            t.merge(people[[*keys, "record"]], on=keys).drop(columns=keys)
            for t in (met, seen, looked)
        ),
    )


def _copied(world: World, rows: pd.DataFrame, day: str) -> pd.DataFrame:
    # copy 1: the new system of the centres; copy 2: registered twice, from some day on.
    moved = (rows.partner == "childrens_centres") & (rows[day].to_numpy() >= NEW_SYSTEM)
    size = 2 * len(world.children.family) + len(world.families.area) * 2
    u = np.column_stack([world.luck.uniform(f"records/twice/{p}", size) for p in PARTNERS])
    at = rows.partner.map({p: i for i, p in enumerate(PARTNERS)}).to_numpy()
    twice = u[rows.person.to_numpy(), at] < world.planted.dirt["twice"]
    late = rows[day].to_numpy().astype("datetime64[D]").astype(int) % 2 == 1
    return rows.assign(copy=moved.astype(int) + 2 * (twice & late))


def _reviews(world: World) -> pd.DataFrame:
    kids, n = world.children, len(world.children.family)
    rows = []
    for month in (12, 24):
        day = review_day(world, month)
        here = (kids.arrive <= month) & (kids.leave > month + 1) & (day <= events.END)
        who = np.flatnonzero(here & world.luck.true(f"reviews/{month}", 0.9, n))
        rows.append(
            pd.DataFrame(
                {"person": who, "partner": "thameside_community", "day": day[who], "review": month}
            )
        )
    return pd.concat(rows, ignore_index=True)


def review_day(world: World, month: int) -> NDArray[Any]:
    """Return the day of the review at 12 or 24 months: always before that month of age ends."""
    u = world.luck.uniform(f"reviews/day/{month}", len(world.children.family))
    return np.asarray(world.children.birth + np.floor(30.4 * (month - 1.9 + 0.9 * u)).astype(int))


def _adults(world: World, own: pd.DataFrame) -> pd.DataFrame:
    n, size = len(world.children.family), len(world.families.area)
    kids = own[(own.person < n) & ~own.partner.isin(NHS[:2])]
    family = world.children.family[kids.person.to_numpy()]
    told = kids.assign(family=family).drop_duplicates(["partner", "family", "copy"])
    at = told.partner.map({p: i for i, p in enumerate(PARTNERS)}).to_numpy()
    u = np.column_stack([world.luck.uniform(f"records/adult/{p}", size) for p in PARTNERS])
    x = u[told.family.to_numpy(), at]
    second = world.families.second_adult[told.family.to_numpy()]
    mothers, others = told[x < MOTHER], told[(x > 1 - SECOND) & second]
    rows: list[pd.DataFrame] = [
        mothers.assign(person=n + mothers.family),
        others.assign(person=n + size + others.family),
    ]
    return pd.DataFrame(pd.concat(rows), columns=["partner", "person", "copy"])


def _described(world: World, people: pd.DataFrame) -> pd.DataFrame:
    kids, fam, n, size = (
        world.children,
        world.families,
        len(world.children.family),
        len(world.families.area),
    )
    who = people.person.to_numpy()
    child = who < n
    i = np.where(child, who, 0)
    family = np.where(child, kids.family[i], (who - n) % size)
    second = who >= n + size
    luck = world.luck
    adult_code = fam.area + 181 * np.floor(22 * luck.uniform("families/home", size)).astype(int)
    nhs = nhs_numbers(luck, "adults/nhs", size, 200_000)

    def chosen(c: list[Any], mother: list[Any], other: list[Any]) -> list[Any]:
        return [
            c[k] if is_child else other[f] if two else mother[f]
            for is_child, k, f, two in zip(child, i, family, second, strict=True)
        ]

    births = [str(d) for d in kids.birth]
    mothers = [str(d) for d in fam.mother_birth]
    return people.assign(
        child=child, family=family, index=i, role=np.where(child, "child", "adult"),
        forename=chosen(kids.forename, fam.mother, fam.partner),
        surname=chosen(kids.surname, fam.mother_surname, fam.partner_surname),
        birth=chosen(births, mothers, mothers),
        male=np.where(child, kids.male[i], second.astype(int)),
        postcode=np.where(child, kids.postcode[i], adult_code[family]),
        old_postcode=np.where(child, kids.old_postcode[i], adult_code[family]),
        moved=np.where(child, kids.moved[i] + kids.born[i], FOREVER),
        ethnicity=fam.ethnicity[family], eal=fam.eal[family],
        nhs=chosen(kids.nhs, nhs, [""] * size), upn=chosen(kids.upn, [""] * size, [""] * size),
        mother=[fam.mother[f] if c else "" for c, f in zip(child, family, strict=True)],
        mother_surname=[
            fam.mother_surname[f] if c else "" for c, f in zip(child, family, strict=True)
        ],
    )  # fmt: skip


def links_of(world: World, held: Records, keys: Keys) -> pd.DataFrame:
    """Return the planted truth of the links: record_key, person, role, family, partner."""
    people = held.people
    made = [key_of(p, r, keys) for p, r in zip(people.partner, people.reference, strict=True)]
    return pd.DataFrame(
        {
            "record_key": made, "partner": people.partner, "reference": people.reference,
            "person": people.person, "role": people.role, "family": people.family,
            "duplicate_of": np.where(people["copy"] > 0, people.person, -1),
        }
    ).sort_values("record_key", ignore_index=True)  # fmt: skip


def key_of(partner: str, reference: str, keys: Keys, family: bool = False) -> str:
    """Return the record key the intake will give a reference; a trust's is pseudonymised first."""
    if partner in NHS:
        told = ("family " if family else "") + reference
        reference = person_pseudonym(partner, told, demo_key(f"person {partner}"))
    return (family_key if family else record_key)(partner, reference, keys.record)


def tables(world: World, keys: Keys, held: Records | None = None) -> Tables:
    """Return clean persons, contacts, outcomes and links, without files: for benchmarks."""
    held = held or records(world)
    made = {
        r: key_of(p, x, keys)
        for r, p, x in zip(
            held.people.record, held.people.partner, held.people.reference, strict=True
        )
    }
    persons = _persons(world, held, keys, made)
    birth = dict(zip(persons.record_key, persons.birth_month, strict=True))
    common = {"collected_on": events.END.astype(object), "submission_id": "a" * 16}

    def keyed(rows: pd.DataFrame, day: str) -> pd.DataFrame:
        rows = rows.assign(record_key=rows.record.map(made), row=np.arange(len(rows)), **common)
        born = pd.to_datetime(rows.record_key.map(birth))
        on = pd.to_datetime(rows[day])
        age = 12 * (on.dt.year - born.dt.year) + on.dt.month - born.dt.month
        return rows.assign(age_months=age.astype("Int64")).drop(columns="record")

    met = keyed(held.contacts, "date_from").assign(
        minutes=pd.array([pd.NA] * len(held.contacts), "Int64"), mode="in_person", in_scope=True
    )
    for column in ("date_from", "date_to"):
        met[column] = pd.to_datetime(met[column]).dt.date
    seen = keyed(held.outcomes, "measured_on").assign(in_window=True)
    seen["measured_on"] = pd.to_datetime(seen.measured_on).dt.date
    return Tables(persons, met, seen, _links(world, held, keys, made))


def _persons(world: World, held: Records, keys: Keys, made: dict[int, str]) -> pd.DataFrame:
    p, kids, at = held.people, world.children, places()
    i, child = p["index"].to_numpy(), p.child.to_numpy()
    area = at.area_of[p.postcode.to_numpy()]
    health = child & (p.partner == "thameside_community").to_numpy()
    born = child & (p.partner == "riverside_hospital").to_numpy()

    def only(mask: NDArray[np.bool_], column: NDArray[Any], kind: str) -> Any:
        told = [c if m else None for m, c in zip(mask, column.tolist(), strict=True)]
        return pd.Series(told, dtype="object").astype(kind).array  # type: ignore[call-overload]

    def day(month: int) -> list[Any]:
        return [
            d if m else None
            for m, d in zip(health, review_day(world, month)[i].astype(object), strict=True)
        ]

    first = pd.to_datetime(p.birth).dt.to_period("M").dt.start_time.dt.date
    groups = [NHS2001[c][1] for c in p.ethnicity]
    if set(groups) - set(GROUPS5):
        raise ValueError("an ethnic group outside the contract")
    return pd.DataFrame(
        {
            "record_key": p.record.map(made), "partner": p.partner, "role": p.role,
            "birth_month": first,
            "due_month": None, "sex": np.where(p.male == 1, "m", "f"), "ethnicity": p.ethnicity,
            "ethnicity_standard": "nhs2001", "ethnicity_group5": groups,
            "home_language": np.where(p.eal == 1, "other", "english"),
            "disability": np.where(child & (kids.disability[i] == 1), "yes", "no"),
            "area_kind": "lsoa",
            "area": [at.code[a] for a in area], "ward": [at.ward[a] for a in area],
            "imd_decile": at.decile[area], "area_on": first, "need_level_on": first,
            "disability_on": first,
            "family_key": [
                key_of(q, f"F{f}", keys, True)
                for q, f in zip(p.partner, p.family, strict=True)
            ],
            "need_level": only(health, kids.need[i], "Int64"),
            "review_on_12": day(12), "review_on_24": day(24),
            "concern_12": only(health, kids.concern12[i], "boolean"),
            "concern_24": only(health, kids.concern24[i], "boolean"),
            "birthweight_g": only(born, kids.weight[i].astype(float), "Float64"),
            "gestation_weeks": only(born, kids.gestation[i].astype(float), "Float64"),
            "parity": only(born, kids.parity[i], "Int64"),
            "collected_on": events.END.astype(object), "submission_id": "a" * 16,
            "row": np.arange(len(p)),
        }
    )  # fmt: skip


def _links(world: World, held: Records, keys: Keys, made: dict[int, str]) -> pd.DataFrame:
    p = held.people.assign(record_key=held.people.record.map(made))
    least = p.groupby("person").record_key.min()
    study = {k: study_id(v, keys.project) for k, v in least.items()}
    ids = p.person.map(study)
    family = {f: family_id(s, keys.project) for f, s in ids.groupby(p.family).min().items()}
    return pd.DataFrame(
        {
            "partner": p.partner, "record_key": p.record_key, "role": p.role, "study_id": ids,
            "family_id": p.family.map(family), "probability": 1.0, "band": "sure", "method": "id",
            "study_id_strict": ids, "study_id_loose": ids, "link_weight": 1.0, "flags": "",
        }
    )  # fmt: skip
