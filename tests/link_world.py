"""A small invented district: children, twins, partners of both tiers, and dirt with a seed."""

import random

import pandas as pd
import pyarrow as pa

from leap_eval import tokens

KEYS = tokens.load_keys(None, "demo")
FIRST = [
    "ada",
    "ben",
    "cleo",
    "dan",
    "eva",
    "finn",
    "gia",
    "hugo",
    "ida",
    "jon",
    "kia",
    "leo",
    "mia",
]
FIRST += ["nils", "ona", "pia", "ravi", "sara", "tom", "uma"]
SOUND = ["ba", "do", "ki", "lu", "me", "no", "ra", "si", "ta", "vo", "wen", "xu"]


def children(count, seed=1):
    draw = random.Random(seed)
    made = []
    for number in range(count):
        surname = "".join(draw.choices(SOUND, k=3)) + "n"
        date = f"20{draw.randrange(15, 20)}-{draw.randrange(1, 13):02d}-{draw.randrange(1, 29):02d}"
        forename = draw.choice(FIRST) + draw.choice(SOUND)
        made.append((f"c{number}", forename, surname, date, f"SW{number % 9} {number % 7}AA"))
    return made


def typed(child, draw):
    entity, forename, surname, date, place = child
    if draw.random() < 0.06:
        forename = forename[:2] + forename[3:]
    if draw.random() < 0.06:
        surname = surname[:-2] + "z" + surname[-1]
    if draw.random() < 0.08:
        place = f"SE{draw.randrange(9)} {draw.randrange(9)}BB"
    return entity, forename, surname, date, place


def filed(partners, seed=2):
    """Return persons, linkage and entities of {partner: (tier, children)}; every child once."""
    draw, persons, linkage = random.Random(seed), [], {}
    for partner, (tier, held) in partners.items():
        rows = [typed(child, draw) for child in held]
        keys = [tokens.record_key(partner, r[0], KEYS.record) for r in rows]
        linkage[partner, "2019Q3"] = table([tokens.Person(*r[1:]) for r in rows], keys, tier)
        persons += [
            {"record_key": k, "partner": partner, "role": "child", "entity": r[0]}
            for k, r in zip(keys, rows, strict=True)
        ]
    blank = {"sex": None, "family_key": None, "imd_decile": None}
    told = {"ethnicity_group5": "not_known", "home_language": "not_known"}
    return pd.DataFrame(persons).assign(**blank, **told), linkage


def table(people, keys, tier):
    made = tokens.at_rest(tokens.tokenise(people, KEYS.link, tier), KEYS.store)
    named = made.append_column("record_key", pa.array(keys))
    return named.append_column("tier", pa.array([tier] * len(keys)))
