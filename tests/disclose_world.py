"""A handful of made-up children, counted as stages 03 and 04 count: small cubes for the gate."""

import hashlib
import json

import numpy as np
import pandas as pd

from leap_eval.disclosure import gate
from leap_eval.disclosure.rules import preset
from leap_eval.store import ledger as book

WARDS = ("oval", "stockwell", "vassall", "princes")
GROUPS = ("asian", "black", "white")
SERVICES = ("chattertime", "making_it_real", "dv_groups")
OWN = {"thameside_community": ("chattertime",), "childrens_centres": ("making_it_real",)}


def children(seed=1, many=600, rates=(0.3, 0.12, 0.1)):
    """One row per made-up child."""
    draw = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "ward": draw.choice(WARDS, many, p=(0.5, 0.3, 0.15, 0.05)),
            "ethnicity_group5": draw.choice(GROUPS, many, p=(0.1, 0.4, 0.5)),
            "eligible": draw.random(many) < 0.9,
        }
    )
    for service, rate in zip(SERVICES, rates, strict=True):
        table[service] = draw.random(many) < rate
    return table


def frames(table):
    """Return the cubes of these children."""
    made = {
        f"reach{n}": _reach(table, d) for n, d in (("", "ward"), ("_group", "ethnicity_group5"))
    }
    eligible = table[table["eligible"]]
    named = [
        " + ".join(s for s in SERVICES[:2] if row[s]) or "none" for _, row in eligible.iterrows()
    ]
    told = pd.Series(named).value_counts().sort_index()
    made["combinations"] = _counted({"trial": "m12", "combination": told.index}, told)
    steps = {"sent_records": 3 * len(table), "linked_children": len(table),
             "m12_eligible": len(eligible),
             "m12_too_young": len(table) - len(eligible)}  # fmt: skip
    made["flow"] = _counted({"step": list(steps)}, pd.Series(steps))
    return made


def _reach(table, dimension):
    rows = []
    for service in SERVICES:
        for code, inside in table.groupby(dimension):
            used = int(inside[service].sum())
            for side, n in (("used", used), ("not_used", len(inside) - used)):
                rows.append((code, service, side, n))
    told = pd.DataFrame(rows, columns=[dimension, "service", "used", "children"])
    return told.assign(families=told["children"], partners=9)


def _counted(codes, told):
    n = told.to_numpy()
    return pd.DataFrame({**codes, "children": n, "families": n, "partners": 9})


def proposal(name="2025-q1", rules=None, **facts):
    """Declare what the notebook declares, of these cubes."""
    made = gate.Proposal(name, rules or preset("exact"), {"state": "demo", **facts})
    made = made.table("reach-ward", cube="reach-whole", rows=("ward",), why="who is counted")
    made = made.table(
        "reach", cube="reach", rows=("ward",), columns=("service",), margins=("ward",), why="reach"
    )
    made = made.ratio(
        "reach-group", cube="reach_group", rows=("ethnicity_group5",), columns=("service",),
        margins=True, why="equity",
    )  # fmt: skip
    made = made.table("flow", cube=("flow-records", "flow-m12"), rows=("step",), why="the flow")
    return made.table(
        "combinations-m12", cube="combinations-m12", rows=("combination",), why="which were common"
    )


def vetted(seed=1, many=600, rates=(0.3, 0.12, 0.1), name="2025-q1", rules=None, before=None,
           **facts):  # fmt: skip
    """Return a release of these children."""
    cubes = frames(children(seed, many, rates))
    return gate.vet(proposal(name, rules, **facts), cubes, before or gate.Before(), b"secret", OWN)


def laid(released, home):
    """Lay a release's files into a folder."""
    for place, data in released.files.items():
        (home / place).parent.mkdir(parents=True, exist_ok=True)
        (home / place).write_bytes(data)
    return home


def ledger(releases, path):
    """Write a release ledger of these releases, each as its export would."""
    for told in releases:
        facts = {**told.kept.line, "sealed": "0" * 64}
        book.append(path, "released", **facts, content="0" * 64, decisions=[])
    return path


def redone(home, change):
    """Change a released table and vouch for it anew, as a forger with the manifest would."""
    manifest = json.loads((home / "manifest.json").read_text())
    for line in manifest["outputs"]:
        data = change(line["id"], (home / line["file"]).read_text())
        (home / line["file"]).write_text(data)
        line["sha256"] = hashlib.sha256(data.encode()).hexdigest()
    (home / "manifest.json").write_text(json.dumps(manifest, sort_keys=True, indent=1) + "\n")


def revealed(seed=1, **world):
    """Return a change that puts one small withheld number back into the table of wards."""
    told = frames(children(seed, **world))["reach"]
    used = told[(told["used"] == "used") & told["children"].between(1, 9)]
    row = used.iloc[seed % len(used)]
    cell = f"{row['ward']},{row['service']},children,"

    def change(name, text):
        assert name != "reach" or f"\n{cell},,,c" in text
        return text.replace(f"\n{cell},,,c", f"\n{cell}{row['children']},,,")

    return change
