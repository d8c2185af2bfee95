"""A release as the gate writes it, with values like the pretend LEAP's: made up, seeded, small."""

import csv
import hashlib
import io
import json
import random

from leap_eval.reference.labels import labels, wards

WARDS = sorted(wards())
SERVICES = [s for s in labels()["service"] if s not in ("none", "rest")]
PLAN = {
    "m12": ["babies_next_steps", "chattertime", "making_it_real", "together_time"],
    "m24": ["making_it_real", "natural_thinkers", "sharing_real", "speech_therapy"],
}
OUTCOMES = {
    "asq3_communication": ("m12", "sd"),
    "asq3_personal_social": ("m12", "sd"),
    "asqse2_total": ("m12", "sd"),
    "wellcomm_green": ("m24", "risk"),
    "eyfsp_gld": ("m24", "risk"),
    "bmi_centile": ("m24", "points"),
}
SCALE = {"sd": 1.0, "risk": 0.35, "points": 25.0}
LEAP_WARDS = {"coldharbour", "stockwell", "tulse_hill", "vassall"}
GROUPS = [
    "imd_third:most",
    "imd_third:middle",
    "ethnicity_group5:black",
    "ethnicity_group5:white",
    "home_language:other",
    "home_language:english",
    "sex:f",
    "sex:m",
]
TAIL = ["measure", "value", "low", "high", "marker"]


def cell(value, least=10):
    """One released count: withheld below the threshold."""
    return ("", "c") if 0 < value < least else (str(value), "")


def table(dimensions, rows):
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*dimensions, *TAIL])
    writer.writerows(rows)
    return out.getvalue().encode()


def counts(dimensions, told):
    rows = [(*key, "children", *spread(value)) for key, value in told.items()]
    return table(dimensions, rows)


def spread(value):
    shown, marker = cell(value)
    return shown, "", "", marker


def reach(draw):
    lives = {
        w: draw.randint(2200, 3400) if w in LEAP_WARDS else draw.randint(90, 320) for w in WARDS
    }
    rate = {s: draw.choice((0.015, 0.04, 0.09, 0.2, 0.45)) for s in SERVICES}
    used = {
        (w, s): round(lives[w] * rate[s] * draw.uniform(0.6, 1.3)) for w in WARDS for s in SERVICES
    }
    whole = {("all", s): sum(used[w, s] for w in WARDS) for s in SERVICES}
    return lives, used | whole


def combos(draw, services):
    told = {"none": draw.randint(4000, 6000)}
    for n, size in ((1, 700), (2, 160), (3, 30), (4, 6)):
        for _ in range(40):
            told[" + ".join(sorted(draw.sample(services, n)))] = round(
                size * draw.uniform(0.4, 1.6)
            )
    return dict(sorted(told.items(), key=lambda kv: (-kv[1], kv[0])))


def estimates(draw):
    rows = []
    for outcome, (trial, unit) in OUTCOMES.items():
        s = PLAN[trial]
        listed = [
            ("combination", " + ".join(c), "all")
            for c in ([s[0]], [s[1]], [s[2]], [s[3]], s[:2], s[1:3], s[2:])
        ]
        listed += [("service", x, "all") for x in s]
        listed += [
            ("pair_named" if i == 0 else "pair_scan", " + ".join(p), "all")
            for i, p in enumerate((s[1:3], s[:2], s[2:]))
        ]
        listed += [("dose", f"{s[0]}:{b}", "all") for b in ("3-5", "6-9", "10+", "trend")]
        listed += [("dose", f"{s[1]}:{b}", "all") for b in ("3-5", "6-9")]
        listed += [("breadth", f"breadth:{b}", "all") for b in ("1", "2", "3+")]
        listed += [("subgroup", x, g) for x in s for g in GROUPS]
        listed += [("subgroup_gap", s[0], g) for g in GROUPS]
        for family, contrast, group in listed:
            rows += estimate(draw, (outcome, family, contrast, group, trial, unit))
    return table(
        [
            "outcome",
            "family",
            "contrast",
            "subgroup",
            "trial",
            "unit",
            "grade",
            "status",
            "reason",
            "wording_key",
        ],
        rows,
    )


def estimate(draw, key):
    outcome, family, *_, unit = key
    scale, se = SCALE[unit], draw.uniform(0.025, 0.07)
    value = draw.gauss(0.06, 0.1)
    better = (value > 0) == (outcome not in ("asqse2_total", "bmi_centile"))
    z = abs(value) / se
    grade = "B" if z > 2.4 else "C" if z > 1.7 else "N" if abs(value) + 2.6 * se < 0.1 else "D"
    words = f"{family}_{grade.lower()}" + (
        "" if grade in "DN" else "_better" if better else "_worse"
    )
    head = (
        *key,
        grade,
        "exploratory" if family in ("pair_scan", "dose", "breadth") else "prespecified",
        "checks 6 to 8 not run",
        words,
    )

    def said(v):
        return f"{v * scale:.6g}"

    n = draw.randint(150, 900)
    return [
        (*head, "estimate", said(value), said(value - 2.7 * se), said(value + 2.7 * se), ""),
        (*head, "pointwise", said(value), said(value - 1.96 * se), said(value + 1.96 * se), ""),
        (*head, "n_arm", str(n), "", "", ""),
        (*head, "ess", f"{n * 0.7:.6g}", "", "", ""),
        (*head, "mde80", said(3.5 * se), "", "", ""),
        (*head, "q", f"{draw.uniform(0, 1):.4g}", "", "", ""),
        (*head, "evalue", f"{draw.uniform(1, 2):.4g}", "", "", ""),
    ]


def groups(draw, name, codes):
    rows = []
    for code in codes:
        for service in SERVICES:
            shown, marker = cell(draw.randint(3, 900))
            share = "" if marker else f"{draw.uniform(0.02, 0.5):.2f}"
            rows += [
                (code, service, "children", shown, "", "", marker),
                (code, service, "share", share, "", "", marker),
            ]
    return table([name, "service"], rows)


def balance(draw):
    covariates = list(labels()["covariate"])
    rows = [
        (
            trial,
            arm,
            c,
            m,
            f"{draw.uniform(0, 0.45) if m == 'smd_before' else draw.uniform(0, 0.08):.3f}",
            "",
            "",
            "",
        )
        for trial, arms in PLAN.items()
        for arm in arms
        for c in covariates
        for m in ("smd_before", "smd_after")
    ]
    return table(["trial", "arm", "covariate"], rows)


def overlap(draw):
    rows = [
        (trial, arm, m, v, "", "", "")
        for trial, arms in PLAN.items()
        for arm in ["none", *arms]
        for m, v in (
            ("ess", str(draw.randint(120, 900))),
            ("floored_share", f"{draw.uniform(0, 0.05):.3f}"),
        )
    ]
    return table(["trial", "arm"], rows)


def checks(draw):
    head = ["outcome", "contrast", "check", "code"]
    rows = [
        (
            o,
            s,
            f"check_{n}",
            draw.choice(("pass", "pass", "pass", "warn", "not_run")),
            "verdict",
            "",
            "",
            "",
            "",
        )
        for o, (t, _) in OUTCOMES.items()
        for s in PLAN[t]
        for n in range(1, 13)
    ]
    return table(head, rows)


def quality(draw):
    rows = [
        (p, m, v, "", "", "")
        for p in labels()["partner"]
        for m, v in (
            ("contacts", str(draw.randint(900, 60000))),
            ("completeness", f"{draw.uniform(0.8, 1):.2f}"),
            ("no_consent_share", f"{draw.uniform(0, 0.2):.2f}"),
        )
    ]
    linkage = [
        (m, v, lo, hi, "")
        for m, v, lo, hi in (
            ("children", "14876", "", ""),
            ("links", "48211", "", ""),
            ("uncertain", "391", "", ""),
            ("precision", "0.996", "0.994", "0.998"),
            ("recall", "0.971", "0.966", "0.976"),
        )
    ]
    bias = [
        ("ethnicity_group5", g, m, f"{draw.uniform(0.9, 0.99):.3f}", "", "", "")
        for g in ("white", "mixed", "asian", "black", "other")
        for m in ("recall", "linked_elsewhere")
    ]
    return {
        "data-quality": (["partner"], table(["partner"], rows)),
        "linkage-quality": ([], table([], linkage)),
        "linkage-bias": (["dimension", "group"], table(["dimension", "group"], bias)),
    }


def tables(seed):
    draw = random.Random(seed)
    lives, used = reach(draw)
    steps = {
        "sent_records": 61204,
        "linked_children": 14876,
        "m12_eligible": 8123,
        "m12_no_birth_month": 212,
        "m12_not_resident": 3120,
        "m12_not_new_user": 3421,
        "m24_eligible": 6933,
        "m24_too_young": 2115,
    }
    told = {
        "reach-ward": (["ward"], counts(["ward"], {(w,): n for w, n in lives.items()})),
        "reach": (["ward", "service"], counts(["ward", "service"], used)),
        "reach-group": (
            ["ethnicity_group5", "service"],
            groups(draw, "ethnicity_group5", ["white", "mixed", "asian", "black", "other"]),
        ),
        "reach-imd": (
            ["imd_third", "service"],
            groups(draw, "imd_third", ["most", "middle", "least"]),
        ),
        "flow": (["step"], counts(["step"], {(k,): v for k, v in steps.items()})),
        "effects": (["outcome", "family", "contrast", "subgroup"], estimates(draw)),
        "balance": (["trial", "arm", "covariate"], balance(draw)),
        "overlap": (["trial", "arm"], overlap(draw)),
        "checks": (["outcome", "contrast", "check"], checks(draw)),
    }
    for trial, services in PLAN.items():
        told[f"combinations-{trial}"] = (
            ["combination"],
            counts(["combination"], {(k,): v for k, v in combos(draw, services).items()}),
        )
    return told | quality(draw)


def fixture(seed=1, state="demo"):
    """Return the files of a release: place below release/ to bytes."""
    made = tables(seed)
    files = {f"tables/{name}.csv": data for name, (_, data) in made.items()}
    outputs = []
    for name, (dimensions, data) in made.items():
        rows = list(csv.DictReader(io.StringIO(data.decode())))
        outputs.append(
            {
                "id": name,
                "kind": "table",
                "file": f"tables/{name}.csv",
                "sha256": hashlib.sha256(data).hexdigest(),
                "audience": ["leap", "partners", "funder"],
                "why": "what the findings rest on",
                "title": name,
                "verdict": "pass",
                "cells": len(rows),
                "withheld": sum(r["marker"] == "c" for r in rows),
                "dimensions": dimensions,
                "measures": sorted({r["measure"] for r in rows}),
                "certificate": {},
            }
        )
    manifest = {
        "name": "2025-q1",
        "state": state,
        "as_at": "2025-03-31",
        "rules_hash": "a1" * 32,
        "plan_hash": "b2" * 32,
        "plan_frozen": [{"on": "2025-01-15"}],
        "lock_hash": "c3" * 32,
        "ledger_head": "d4" * 32,
        "population": {},
        "outputs": outputs,
        "dimensions": {"ward": WARDS, "service": SERVICES},
        "figures": [],
    }
    return files | {"manifest.json": json.dumps(manifest, sort_keys=True).encode()}


def small(state="demo"):
    """Return a release of three small tables; one of them is not for partners."""
    files = fixture(1, state)
    manifest = json.loads(files["manifest.json"])
    kept = [o for o in manifest["outputs"] if o["id"] in ("reach-ward", "flow", "linkage-quality")]
    for output in kept:
        if output["id"] == "linkage-quality":
            output["audience"] = ["leap"]
    told = {"manifest.json": json.dumps(manifest | {"outputs": kept}, sort_keys=True).encode()}
    return told | {o["file"]: files[o["file"]] for o in kept}
