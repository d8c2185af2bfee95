"""Damaged files: whatever arrives is filed or refused with a rule, and nothing else happens."""

import io
import json
import random
import zipfile
from datetime import date

import pytest
from test_intake import KEYS, delivery, sent, terms, trust_keys  # noqa: F401 - terms is a fixture

from leap_eval.intake import flow
from leap_eval.intake.fates import FATES
from leap_eval.reference.rules import RULES
from leap_eval.store.delivery import Delivery
from leap_eval.synthetic.workbook import workbook

NASTY = (
    b"\x00", b'"', b",", b"\r", b"\n", b"=1+1", b"\xff\xfe", b"9" * 30, b"2019-13-45", b"1e308",
    b"nan", b"PK\x03\x04", b"<!ENTITY x>", "‮ﷺ😍".encode(), b"9990000018", b"-1", b"true", b"",
)  # fmt: skip


def booked(terms):  # noqa: F811 - the fixture is handed on
    tables = terms[0]["milk_and_more"].tables
    heads = {stem: [c.column for c in table.columns] for stem, table in tables.items()}
    cells = {
        "reference": "M1", "family_reference": "F1", "role": "Baby", "forename": "Zephyrine",
        "surname": "Quillfeather", "birth_date": date(2018, 5, 17), "postcode": "SW9 8QO",
        "consent": "Yes", "consent_date": date(2018, 7, 1), "consent_version": "1",
        "service": "Breastfeeding peer support", "date": date(2018, 6, 3),
    }  # fmt: skip
    sheets = {
        table.source: [heads[stem], [cells.get(c.what) for c in table.columns]]
        for stem, table in tables.items()
    }
    content = {"milk_and_more_2018Q3.xlsx": workbook(sheets)}
    return Delivery("milk_and_more", "2018Q3", 1, date(2018, 10, 20), content)


def mutated(data, rng):
    told = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 5])):
        at = rng.randrange(len(told) + 1)
        match rng.randrange(5):
            case 0:
                told[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del told[at : at + rng.choice([1, 3, 20, 200])]
            case 2:
                told[at:at] = rng.choice(NASTY)
            case 3:
                del told[at:]
            case 4:
                told = bytearray(
                    bytes(told).replace(rng.choice([b"2018", b"1", b"N", b"tk1_"]), b"x")
                )
    return bytes(told)


def repacked(data, rng):
    told, out = zipfile.ZipFile(io.BytesIO(data)), io.BytesIO()
    spoiled = rng.choice(told.namelist())
    with zipfile.ZipFile(out, "w") as archive:
        for name in told.namelist():
            part = told.read(name)
            archive.writestr(name, mutated(part, rng) if name == spoiled else part)
    return out.getvalue()


def signed_anew(content):
    told = json.loads(content.pop("manifest.json"))
    kept = {k: v for k, v in told.items() if k not in ("files", "signature")}
    signing = trust_keys("riverside_hospital").signing
    return {**content, "manifest.json": flow.canonical.manifest(kept, content, signing)}


@pytest.mark.parametrize("kind", ["csv", "trust", "signed", "xlsx", "repacked"])
def test_a_damaged_submission_is_filed_or_refused_by_a_rule_and_never_crashes(terms, kind):  # noqa: F811
    whole = {"csv": delivery, "xlsx": lambda: booked(terms), "repacked": lambda: booked(terms)}
    base = whole.get(kind, lambda: sent(terms))()
    agreements, programme = terms
    assert flow.receive(base, agreements[base.partner], programme, KEYS, {}).verdict == "filed"
    for seed in range(60):
        rng, content = random.Random(seed), dict(base.content)
        name = rng.choice(sorted(set(content) - ({"manifest.json"} if kind == "signed" else set())))
        content[name] = (repacked if kind == "repacked" else mutated)(content[name], rng)
        content = signed_anew(content) if kind == "signed" else content
        one = Delivery(base.partner, base.period, base.sequence, base.shared_on, content)
        done = flow.receive(one, agreements[one.partner], programme, KEYS, {})
        assert (done.verdict == "filed") != (done.rule in RULES), seed
        assert "Quillfeather" not in flow.rule_words(done)
        if done.verdict == "filed":
            assert done.told["received"] == sum(done.told[fate] for fate in FATES)


@pytest.mark.requirement("R12", "R21", "R23")
@pytest.mark.parametrize(
    ("table", "column", "text"),
    [
        ("persons", "ethnicity", "Zephyrine"),
        ("persons", "ethnicity_standard", "Zephyrine"),
        ("persons", "ward", "quillfeather"),
        ("persons", "area", "Quillfeather"),
        ("persons", "sex", "Zephyrine"),
        ("persons", "multiple", "Zephyrine"),
        ("persons", "birth_order", "Zephyrine"),
        ("persons", "imd_decile", "11"),
        ("persons", "birth_month", "17 May 2018"),
        ("outcomes", "instrument", "Zephyrine"),
        ("outcomes", "level", "Quillfeather"),
        ("outcomes", "value", "heavy"),
    ],
)
def test_text_has_no_way_in_by_a_coded_column_of_a_trust(terms, table, column, text):  # noqa: F811
    leaving = sent(terms)
    name = f"{table}_2019Q3.csv"
    head, row = (line.split(",") for line in leaving.content[name].decode().splitlines())
    row[head.index(column)] = text
    content = dict(leaving.content) | {name: f"{','.join(head)}\n{','.join(row)}\n".encode()}
    one = Delivery(leaving.partner, "2019Q3", 1, leaving.shared_on, signed_anew(content))
    done = flow.receive(one, terms[0][one.partner], terms[1], KEYS, {})
    assert (done.verdict, done.rule) == ("refused", "file.canonical")


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"period": "2019Q4"}, "manifest.period"),
        ({"sequence": 2}, "manifest.period"),
        ({"norm_version": 99}, "manifest.version"),
        ({"known_answers": "00"}, "manifest.key"),
        ({"partner": "southbank_minds"}, "manifest.partner"),
        ({"partner": 3}, "manifest.damaged"),
    ],
)
def test_a_manifest_that_does_not_fit_its_submission_is_refused(terms, changed, rule):  # noqa: F811
    leaving = sent(terms)
    told = json.loads(leaving.content["manifest.json"]) | changed
    content = dict(leaving.content) | {"manifest.json": json.dumps(told).encode()}
    one = Delivery(leaving.partner, "2019Q3", 1, leaving.shared_on, signed_anew(content))
    assert flow.receive(one, terms[0][one.partner], terms[1], KEYS, {}).rule == rule
