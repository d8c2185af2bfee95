"""Stage 01: what did this partner send, and is it fit to use?

All periods of a partner become three tables: one row per record, and its contacts and
outcomes once each, however often the periods overlap.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import ibis
from ibis import _

from leap_eval.contracts import CONTACTS, OUTCOMES, PERSONS
from leap_eval.store.engine import earliest, latest, settled, turn

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from leap_eval.store.rows import Filed

# A value that was told on a day may be used from that day on: the first telling counts.
DATED = {"imd_decile": "area_on", "need_level": "need_level_on", "disability": "disability_on"}
REVIEWS = {"concern_12": "review_on_12", "concern_24": "review_on_24"}
UNKNOWN = ("home_language", "disability", "ethnicity_group5")
SOURCE = ("collected_on", "submission_id", "row")
# Two submissions may be shared on one day with the same row: without the last, a tie is chance.
TOLD_FIRST = ("collected_on", "row", "submission_id")
DERIVED = ("age_months", "in_scope", "in_window")
QUASI = ("birth_month", "area", "sex", "ethnicity_group5")


@dataclass(frozen=True, slots=True)
class Ingested:
    """One partner's tables in their contracts, and what they are worth."""

    persons: ir.Table
    contacts: ir.Table
    outcomes: ir.Table
    quality: dict[str, Any]


def ingest(filed: Filed, as_at: date) -> Ingested:
    """Join all periods of a partner, once each row, and measure what was sent."""
    outcomes = settled(once(filed.outcomes, OUTCOMES.columns))
    told = settled(persons(filed.persons, outcomes))
    contacts = settled(once(filed.contacts, CONTACTS.columns))
    return Ingested(told, contacts, outcomes, quality(filed, told, contacts, outcomes, as_at))


def persons(filed: ir.Table, outcomes: ir.Table) -> ir.Table:
    """Return one row per record: the first telling of each fact, and its day.

    Later tellings may lie after a child's time zero; the first one can be dated.
    """
    known = filed.mutate(
        **{f"{c}_refused": filed[c] == "not_stated" for c in UNKNOWN},
        **{c: filed[c].nullif("not_known").nullif("not_stated") for c in UNKNOWN},
    )
    by_review = {f"{on}_turn": turn("record_key", on, *TOLD_FIRST) for on in REVIEWS.values()}
    known = known.mutate(turn=turn("record_key", *TOLD_FIRST), **by_review)
    facts = {
        name: earliest(known, name)
        for name in PERSONS.columns
        if name in filed.columns and name not in ("record_key", *SOURCE)
    }
    for concern, on in REVIEWS.items():
        # Date and finding come from one row: the earliest review that tells both.
        both = known[concern].notnull() & known[on].notnull()
        facts |= {c: known[c].argmin(known[f"{on}_turn"], where=both) for c in (concern, on)}
    facts |= {f"{c}_refused": known[f"{c}_refused"].any() for c in UNKNOWN}
    dates = {on: known.collected_on.min(where=known[c].notnull()) for c, on in DATED.items()}
    source = {name: earliest(known, name) for name in SOURCE}
    told = known.group_by("record_key").agg(**facts, **dates, **source)
    # A family that did not say is told apart from nobody having asked.
    words = {
        c: told[c].coalesce(ibis.ifelse(told[f"{c}_refused"], "not_stated", "not_known"))
        for c in UNKNOWN
    }
    return (
        _with_birth(told.mutate(**words), outcomes).select(*PERSONS.columns).order_by("record_key")
    )


def _with_birth(told: ir.Table, outcomes: ir.Table) -> ir.Table:
    # Weight and gestation arrive as results of the birth; they are background, never outcomes.
    born = (
        outcomes.filter(_.instrument == "birth")
        .group_by("record_key")
        .agg(
            weight=_.value.min(where=_.item == "weight_g"),
            weeks=_.value.min(where=_.item == "gestation_weeks"),
        )
        .select(born_key=_.record_key, weight=_.weight, weeks=_.weeks)
    )
    both = told.left_join(born, told.record_key == born.born_key)
    return both.mutate(
        birthweight_g=_.birthweight_g.coalesce(_.weight),
        gestation_weeks=_.gestation_weeks.coalesce(_.weeks),
    )


def once(filed: ir.Table, columns: Any) -> ir.Table:
    """Return each row once, however many submissions repeat it; the first is its source."""
    # What the intake derived from a birth month may change with it; it does not make two rows.
    rest = [c for c in columns if c in (*SOURCE, *DERIVED)]
    content = [c for c in columns if c not in rest]
    known = filed.mutate(turn=turn(content, *TOLD_FIRST))
    told = {c: latest(known, c) if c in DERIVED else earliest(known, c) for c in rest}
    return known.group_by(content).agg(**told).select(*columns)


def quality(
    filed: Filed, told: ir.Table, contacts: ir.Table, outcomes: ir.Table, as_at: date
) -> dict[str, Any]:
    """Return what the notebook and the page say of this partner: shares and totals, no row."""
    sums = {
        key: sum(s[key] for s in filed.submissions) for key in ("received", "refused", "choice")
    }
    received = max(sums["received"], 1)
    rows = {n: int(t.count().to_pyarrow().as_py()) for n, t in _named(told, contacts, outcomes)}
    scope = contacts.aggregate(out=(~_.in_scope).sum(), all=_.count()).to_pyarrow().to_pylist()[0]
    sent = sum(int(t.count().to_pyarrow().as_py()) for t in (filed.contacts, filed.outcomes))
    doubled = sent - rows["contacts"] - rows["outcomes"]
    return {
        "partner": filed.submissions[0]["partner"],
        "rows": rows,
        "periods": list(filed.periods),
        "missing_periods": missing_periods(filed.periods),
        "by_month": by_month(contacts),
        "completeness": completeness(told),
        "refused_share": round(sums["refused"] / received, 4),
        "no_consent_share": round(sums["choice"] / received, 4),
        "out_of_scope_share": round((scope["out"] or 0) / max(scope["all"], 1), 4),
        "late": sum(
            _late(s["period"], date.fromisoformat(s["shared_on"])) for s in filed.submissions
        ),
        "duplicates": doubled,
        "dates_outside": _outside(contacts, as_at),
        "unique_share": uniqueness(told),
    }


def _named(*tables: ir.Table) -> zip[tuple[str, ir.Table]]:
    return zip(("persons", "contacts", "outcomes"), tables, strict=True)


def _late(period: str, shared_on: date) -> bool:
    year, quarter = int(period[:4]), int(period[5])
    ended = date(year + quarter // 4, quarter % 4 * 3 + 1, 1)
    return (shared_on - ended).days > 92


def missing_periods(periods: tuple[str, ...]) -> list[str]:
    """Return the quarters between the first and the last for which nothing was sent."""
    numbers = [int(p[:4]) * 4 + int(p[5]) - 1 for p in periods]
    every = range(min(numbers), max(numbers) + 1)
    return [f"{n // 4}Q{n % 4 + 1}" for n in every if n not in numbers]


def by_month(contacts: ir.Table) -> list[dict[str, Any]]:
    """Count contacts by month and service."""
    told = contacts.mutate(month=_.date_from.strftime("%Y-%m")).group_by("month", "service")
    rows: list[dict[str, Any]] = (
        told.agg(contacts=_.count()).order_by("month", "service").to_pyarrow().to_pylist()
    )
    return rows


def completeness(told: ir.Table) -> list[dict[str, Any]]:
    """Return, for each column of the children, the share that is known."""
    children = told.filter(_.role == "child")
    asked = [
        *("birth_month", "sex", "ethnicity_group5", "home_language", "disability", "area"),
        *("family_key", "need_level", "concern_12", "concern_24"),
        *("birthweight_g", "gestation_weeks", "parity"),
    ]
    known = {c: _known(children, c).mean() for c in asked}
    (shares,) = children.aggregate(**known).to_pyarrow().to_pylist()
    return [{"column": c, "share": round(shares[c] or 0.0, 4)} for c in asked]


def _known(table: ir.Table, column: str) -> Any:
    cells = table[column]
    told = cells.notnull() & (cells != "not_known") if column in UNKNOWN else cells.notnull()
    return told.cast("int64")


def uniqueness(told: ir.Table) -> float:
    """Return the share of children who are alone on what is filed of them: why rows stay inside."""
    children = told.filter(_.role == "child", _.birth_month.notnull())
    alone = children.group_by(list(QUASI)).agg(n=_.count()).aggregate(
        alone=(_.n == 1).sum(), children=_.n.sum()
    )  # fmt: skip
    (counts,) = alone.to_pyarrow().to_pylist()
    return round((counts["alone"] or 0) / max(counts["children"] or 0, 1), 4)


def _outside(contacts: ir.Table, as_at: date) -> int:
    told = contacts.aggregate(n=((_.date_to > ibis.literal(as_at)) | (_.age_months < -10)).sum())
    return int(told.to_pyarrow().to_pylist()[0]["n"] or 0)


def months_chart(quality: dict[str, Any]) -> Any:
    """Draw contacts by month, the services stacked."""
    import matplotlib.pyplot as plt

    wide = _wide(quality["by_month"])
    figure, axes = plt.subplots()
    axes.stackplot(
        range(len(wide)), *[wide[c] for c in wide], labels=[str(c) for c in wide.columns]
    )
    ticks = range(0, len(wide), 12)
    axes.set_xticks(list(ticks), [wide.index[t] for t in ticks], rotation=0)
    axes.set_title("Contacts by month")
    axes.legend(loc="upper left", ncols=2)
    plt.close(figure)
    return figure


def _wide(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    if not rows:
        return pd.DataFrame({"none": []})
    table = pd.DataFrame(rows)
    months = pd.period_range(table.month.min(), table.month.max(), freq="M").strftime("%Y-%m")
    wide = table.pivot_table(index="month", columns="service", values="contacts", aggfunc="sum")
    return wide.reindex(months).fillna(0.0)


def completeness_chart(quality: dict[str, Any]) -> Any:
    """Draw the share known of each column, with a line at four in five."""
    import matplotlib.pyplot as plt

    told = quality["completeness"]
    figure, axes = plt.subplots()
    axes.barh([r["column"] for r in told][::-1], [100 * r["share"] for r in told][::-1])
    axes.axvline(80, color="0.4", linewidth=1)
    axes.set_xlim(0, 100)
    axes.set_title("Known of the children, per cent")
    plt.close(figure)
    return figure


def summary(quality: dict[str, Any]) -> pd.DataFrame:
    """Return the partner's figures as a small table for people."""
    import pandas as pd

    words = {
        "refused_share": "rows refused",
        "no_consent_share": "rows left out at the person's choice",
        "out_of_scope_share": "contacts out of scope",
        "unique_share": "children alone on what is filed of them",
    }
    rows = [(f"{n} rows", f"{c:,}") for n, c in quality["rows"].items()]
    rows += [(text, f"{100 * quality[key]:.1f} %") for key, text in words.items()]
    rows += [
        ("submissions late", str(quality["late"])),
        ("rows sent again", f"{quality['duplicates']:,}"),
    ]
    rows += [("periods missing", ", ".join(quality["missing_periods"]) or "none")]
    return pd.DataFrame(rows, columns=["what", "how much"])
