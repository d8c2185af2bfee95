"""Quality figures for the pages: shares to whole per cents, counts to the nearest ten."""

from __future__ import annotations

from typing import Any

FEWEST = 300
BASIC = ("birth_month", "area", "ethnicity_group5")


def _row(
    head: dict[str, str], measure: str, value: str, low: str = "", high: str = ""
) -> dict[str, str]:
    marker = "" if value else "x"
    return {**head, "measure": measure, "value": value, "low": low, "high": high, "marker": marker}


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _tens(value: float) -> str:
    return str(10 * round(value / 10))


def data_quality(partners: dict[str, dict[str, Any]]) -> list[dict[str, str]]:
    """Return, by partner, how much was sent and how complete it is."""
    made = []
    for partner, told in partners.items():
        head = {"partner": partner}
        known = [c["share"] for c in told["completeness"] if c["column"] in BASIC]
        made += [
            _row(head, "contacts", _tens(told["rows"]["contacts"])),
            _row(head, "completeness", _share(sum(known) / len(known) if known else None)),
            _row(head, "no_consent_share", _share(told["no_consent_share"])),
        ]
    return made


def linkage_quality(told: dict[str, Any]) -> list[dict[str, str]]:
    """Return how many records became how many links, and how good they are."""
    made = [_row({}, name, _tens(told[name])) for name in ("records", "links", "uncertain")]
    for name in ("precision", "recall"):
        found = told[name]
        made.append(_row({}, name, *(_thousandths(found.get(k)) for k in ("value", "low", "high"))))
    return made


def _thousandths(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


# By ward, partner and year of birth it stays inside: for those who mend the records.
TOLD_BY = ("ethnicity_group5", "imd_third", "home_language", "sex", "missing_fields")


def linkage_bias(told: dict[str, Any]) -> list[dict[str, str]]:
    """Return, by group of at least 300 records, whether anyone's links are missed more often."""
    made = []
    for group in (g for g in told["groups"] if g["dimension"] in TOLD_BY):
        head = {"dimension": group["dimension"], "group": str(group["group"])}
        big = group["records"] >= FEWEST
        for measure in ("recall", "linked_elsewhere"):
            value = group.get(measure) if big else None
            made.append(_row(head, measure, _share(value)))
    return made


def flat(
    rows: list[dict[str, Any]], keys: tuple[str, ...], measures: tuple[str, ...]
) -> list[dict[str, str]]:
    """Return design tables (balance, overlap) as rows of one measure each, two decimals at most."""
    made = []
    for row in rows:
        head = {key: str(row[key]) for key in keys}
        for measure in measures:
            value = row.get(measure)
            large = value is not None and abs(value) >= 10
            text = "" if value is None else (_tens(value) if large else f"{value:z.2f}")
            made.append(_row(head, measure, text))
    return made


def balance(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return how alike the arms are in background, before and after weighting."""
    keys = ("trial", "set", "arm", "covariate")
    return _combinations(flat(rows, keys, ("smd_before", "smd_after")))


def overlap(rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return how many children each arm is worth, and how many sit at the floor."""
    return _combinations(flat(rows, ("trial", "set", "arm"), ("ess", "floored_share")))


def _combinations(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return the rows of the sets of combinations, whose arms the pages show."""
    kept = [r for r in rows if r["set"].endswith("combination")]
    return [{k: v for k, v in r.items() if k != "set"} for r in kept]
