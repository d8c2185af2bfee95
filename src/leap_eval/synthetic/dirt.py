"""What goes wrong at a registration desk: planted once per record, so that it stays with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leap_eval.synthetic.places import NEVER, places
from leap_eval.synthetic.world import World

GROUP = {**dict.fromkeys("NPJK", 2.2), **dict.fromkeys("CSR", 1.5)}
PREFIX = {
    "riverside_hospital": "H", "thameside_community": "T", "southbank_minds": "S",
    "borough_council": "", "childrens_centres": "", "leap_community": "V", "milk_and_more": "M",
    "story_doorstep": "D", "healthy_table": "",
}  # fmt: skip
SHORT = (
    "alexander alex,amelia millie,andrew andy,anthony tony,benjamin ben,catherine kate,"
    "charles charlie,charlotte lottie,christopher chris,daniel dan,david dave,edward ted,"
    "eleanor ellie,elizabeth liz,emily em,florence flo,frances fran,francis frank,"
    "frederick fred,george georgie,isabella bella,jacob jake,james jim,joseph joe,"
    "joshua josh,katherine kate,lawrence larry,leonard leo,margaret maggie,matthew matt,"
    "michael mike,natalie nat,nicholas nick,oliver ollie,patricia pat,patrick pat,peter pete,"
    "rebecca becky,richard rick,robert bob,samantha sam,samuel sam,stephen steve,susan sue,"
    "thomas tom,timothy tim,victoria vicky,william will,zachary zac"
)
SHORT_FORMS = {pair.split()[0]: (pair.split()[1],) for pair in SHORT.split(",")}
SPELLINGS = (
    ("ph", "f"),
    ("y", "i"),
    ("ee", "i"),
    ("ou", "u"),
    ("ck", "k"),
    ("h", ""),
    ("ss", "s"),
    ("z", "s"),
)
NO_WORDS = ("No", "", "N", "no", "unsure", "?", "pending", "declined", "ask again", "yes but")


def spoiled(world: World, people: pd.DataFrame) -> pd.DataFrame:
    """Return the records as the partners hold them, with the kinds of dirt put in (`dirt`)."""
    d, n = world.planted.dirt, len(people)
    m = people.ethnicity.map(GROUP).fillna(1.0).to_numpy()
    dep = np.where(places().decile[places().area_of[people.postcode]] <= 3, 1.0, 0.0)
    hit = {
        k: world.luck.uniform(f"dirt/{k}", n) < c for k, c in _chances(d, people, m, dep).items()
    }
    u = world.luck.uniform("dirt/where", n)
    rows = zip(*(people[c].tolist() for c in _READ), strict=True)
    told = [
        _record(row, {k: bool(h[i]) for k, h in hit.items()}, float(u[i]))
        for i, row in enumerate(rows)
    ]
    made = pd.DataFrame(
        told, columns=["forename", "surname", "birth", "typed_postcode", "dirt"], index=people.index
    )
    out = people.assign(**{c: made[c] for c in made.columns}, reference=_references(world, people))
    out["yes"] = ~hit["no_consent"] | people.partner.isin(
        ("riverside_hospital", "thameside_community", "southbank_minds")
    )
    out["no_word"] = [
        NO_WORDS[int(x * len(NO_WORDS))] for x in world.luck.uniform("dirt/no_word", n)
    ]
    for column in ("ethnicity", "level", "language"):
        out[f"no_{column}"] = hit[f"no_{column}"]
    out["never_learns"] = world.luck.true("dirt/never_learns", 0.12, n)
    return out


_READ = ("partner", "child", "forename", "surname", "birth", "mother_surname", "ethnicity")


def _chances(d: dict[str, float], people: pd.DataFrame, m: Any, dep: Any) -> dict[str, Any]:
    at = people.partner.to_numpy()
    events, nhs = (
        at == "leap_community",
        np.isin(at, ("riverside_hospital", "thameside_community", "southbank_minds")),
    )
    foreign = np.where(m > 1, 1.5, 1.0)
    other = np.where(at == "story_doorstep", 0.40, d["no_ethnicity_other"])
    n = len(people)
    const = {k: np.full(n, d[k]) for k in ("nickname", "order", "swap", "digit")}
    return {
        **const,
        "spelling": d["spelling"] * m,
        "edit_forename": d["edit"] * foreign, "edit_surname": d["edit"] * foreign,
        "other_surname": d["other_surname"] * people.child.to_numpy(),
        "half_surname": np.where(people.ethnicity.isin(["C", "S"]), 0.40, d["half_surname"]),
        "baby": np.where(at == "riverside_hospital", 0.04, d["baby"]) * people.child.to_numpy(),
        "january": d["january"] * np.where(people.ethnicity.isin(list("NPSK")), 6, 1),
        "no_birth": np.where(events, 0.18, d["no_birth"]),
        "no_postcode": np.where(events, 0.15, d["no_postcode"] * np.where(dep > 0, 2.5, 1)),
        "wrong_postcode": np.full(n, d["wrong_postcode"]),
        "initial": np.where(at == "story_doorstep", 0.20, 0.0),
        "no_ethnicity": np.where(nhs, d["no_ethnicity_nhs"], other) * m,
        "no_level": np.full(n, d["no_level"]), "no_language": np.full(n, d["no_language"]),
        "no_consent": d["no_consent"] * np.where(dep + (m > 1) > 0, 1.25, 0.8),
    }  # fmt: skip


def _record(
    row: tuple[Any, ...], hit: dict[str, bool], u: float
) -> tuple[str, str, str, bool, str]:
    _, child, forename, surname, birth, mother, _ = row
    kinds = [
        k
        for k in hit
        if hit[k] and not k.startswith(("no_ethnicity", "no_level", "no_language", "no_consent"))
    ]
    for kind in kinds:
        forename, surname = _named(kind, forename, surname, mother, u)
        birth = _dated(kind, birth, u)
    if hit["baby"] and child:
        forename = "BABY" if u < 0.7 else "TWIN ONE"
    wrong = hit["wrong_postcode"] and not hit["no_postcode"]
    return forename, surname, birth, bool(wrong), ",".join(kinds)


def _named(kind: str, forename: str, surname: str, mother: str, u: float) -> tuple[str, str]:
    if kind == "nickname":
        short = SHORT_FORMS.get(forename.casefold(), ())
        return (sorted(short)[int(u * len(short))].title() if short else forename), surname
    if kind == "spelling":
        return _respelled(forename), _respelled(surname)
    if kind == "edit_forename":
        return _edited(forename, u), surname
    if kind == "edit_surname":
        return forename, _edited(surname, u)
    if kind == "order":
        return surname, forename
    if kind == "other_surname":
        return forename, mother or surname
    if kind == "half_surname":
        parts = surname.replace("-", " ").split()
        return forename, parts[int(u * len(parts))]
    return (forename[:1] if kind == "initial" else forename), surname


def _dated(kind: str, birth: str, u: float) -> str:
    if kind == "no_birth" or not birth:
        return ""
    year, month, day = birth.split("-")
    if kind == "swap" and int(day) <= 12:
        return f"{year}-{day}-{month}"
    if kind == "digit":
        return f"{year}-{month}-{1 + (int(day) + int(9 * u)) % 28:02d}"
    return f"{year}-01-01" if kind == "january" else birth


def _respelled(name: str) -> str:
    for old, new in SPELLINGS:
        if old in name[1:]:
            return name[0] + name[1:].replace(old, new, 1)
    return name


def _edited(name: str, u: float) -> str:
    at = 1 + int(u * max(len(name) - 1, 1))
    how = int(u * 997) % 3
    if how == 0 and len(name) > 3:
        return name[:at] + name[at + 1 :]
    if how == 1:
        return name[:at] + "abcdeghilmnorstu"[int(u * 9973) % 16] + name[at:]
    return (
        name[: at - 1] + name[at : at + 1] + name[at - 1 : at] + name[at + 1 :]
        if at > 1
        else name + "e"
    )


def mistyped(postcode: str, u: float) -> str:
    """Return a postcode with one typing error that never removes its impossible letter."""
    district, _, inward = postcode.partition(" ")
    if u < 0.5:
        return f"{district} {(int(inward[0]) + 1) % 10}{inward[1:]}"
    keep = 1 if inward[1] in NEVER else 2
    other = "ABDEFGH"[int(u * 700) % 7]
    return (
        f"{district} {inward[0]}{inward[1]}{other}"
        if keep == 1
        else f"{district} {inward[0]}{other}{inward[2]}"
    )


def _references(world: World, people: pd.DataFrame) -> NDArray[Any]:
    number = 100_000 + np.argsort(
        np.argsort(world.luck.uniform("records/reference", len(people)), kind="stable")
    )
    return np.array([f"{PREFIX[p]}{k}" for p, k in zip(people.partner, number, strict=True)])
