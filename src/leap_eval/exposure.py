"""Stage 04: which services, in which combination, what dose, by time zero plus grace?"""

from __future__ import annotations

from datetime import timedelta
from functools import reduce
from typing import TYPE_CHECKING, Any

import ibis
from ibis import _

from leap_eval.draws import marked, unmarked
from leap_eval.store.engine import settled

if TYPE_CHECKING:
    from collections.abc import Sequence

    import ibis.expr.types as ir
    import pandas as pd

    from leap_eval.agreements.programme import Service
    from leap_eval.settings.plan import Plan

NONE = "none"
FOUR_YEARS = 48
CHILD = ("study_id", "draw")
# Partners may disagree on a birth month: a contact outside these ages belongs to another month.
AGES = (-10, 60)


def attended(
    contacts: ir.Table, links: ir.Table, children: ir.Table, services: Sequence[Service]
) -> ir.Table:
    """Return a row per child and attended contact: their own, and their family's adults'.

    A contact on an adult's record counts for each child of the family whose age lies in the
    months of the service; pregnancy contacts stand on the mother's record alone.
    """
    told = contacts.filter((_.attended == "attended") & _.in_scope & (_.sessions > 0))
    told = told.join(links.select("record_key", "role", "study_id", "family_id"), "record_key")
    who = marked(children.filter(_.birth_month.notnull()))
    who = who.select("study_id", "family_id", "birth_month")
    own = told.filter(_.role == "child").drop("family_id").join(who, "study_id")
    own = own.filter(_months(own.birth_month, own.date_from).between(*AGES))
    theirs = told.filter(_.role == "adult").drop("study_id").join(who, "family_id")
    kept = ("study_id", "service", "date_from", "date_to", "sessions", "birth_month")
    both = own.select(*kept).union(_of_age(theirs, services).select(*kept))
    # Mother and child recorded at one session are one session.
    same = [c for c in kept if c != "sessions"]
    both = both.group_by(same).agg(sessions=_.sessions.max())
    return settled(unmarked(both).mutate(month=_months(both.birth_month, both.date_from)))


def _months(birth: Any, day: Any) -> Any:
    years, months = day.year() - birth.year(), day.month() - birth.month()
    return (12 * years + months).cast("int64")


def _of_age(rows: ir.Table, services: Sequence[Service]) -> ir.Table:
    window = ibis.memtable(
        {
            "service": [s.id for s in services],
            "youngest": [s.months[0] for s in services],
            "oldest": [s.months[1] for s in services],
        }
    )
    age = _months(rows.birth_month, rows.date_from)
    aged = rows.mutate(age=age).join(window, "service")
    return aged.filter(_.age.between(_.youngest, _.oldest))


def exposure(
    told: ir.Table, children: ir.Table, services: Sequence[Service], plan: Plan
) -> ir.Table:
    """Return one row per child: when each service began, and what each trial makes of it.

    A child without a contact is kept, as `none`: dropping the unexposed would leave nobody
    to compare with.
    """
    names = sorted(s.id for s in services)
    began = {f"start_{s}": told.month.min(where=told.service == s) for s in names}
    starts = told.group_by(*CHILD).agg(**began)
    base = children.select(*CHILD, "birth_month").left_join(starts, CHILD)
    base = settled(base.drop("study_id_right", "draw_right"))
    columns: dict[str, Any] = {f"start_{s}": base[f"start_{s}"] for s in names}
    columns |= {f"used_{s}": (base[f"start_{s}"] < FOUR_YEARS).fill_null(False) for s in names}
    for name in plan.trials:
        columns |= _trial(base, name, plan, names) | _offered(base, name, plan, services)
    wide = settled(base.select(*CHILD, **columns))
    doses = settled(_doses(told, plan))
    both = wide.left_join(doses, CHILD).drop("study_id_right", "draw_right")
    none = {c: 0 for c in doses.columns if c not in CHILD}
    return settled(both.fill_null(none).order_by("draw", "study_id"))


def _trial(base: ir.Table, name: str, plan: Plan, names: list[str]) -> dict[str, Any]:
    trial = plan.trials[name]
    zero = trial.time_zero
    before = [(base[f"start_{s}"] < zero).fill_null(False) for s in trial.in_play]
    columns = {f"{name}_new_user": ~reduce(lambda a, b: a | b, before)}
    for service in sorted(set(names) - set(trial.in_play)):
        columns[f"{name}_used_{service}"] = (base[f"start_{service}"] < zero).fill_null(False)
    for grace in plan.months.graces:
        began = {
            s: ((base[f"start_{s}"] >= zero) & (base[f"start_{s}"] < zero + grace)).fill_null(False)
            for s in sorted(trial.in_play)
        }
        columns[f"{name}_g{grace}_combination"] = combination(began)
        columns[f"{name}_g{grace}_breadth"] = reduce(
            lambda a, b: a + b, [b.cast("int64") for b in began.values()]
        )
    return columns


def _offered(base: ir.Table, name: str, plan: Plan, services: Sequence[Service]) -> dict[str, Any]:
    """Tell which services in play were open for the whole of a child's window.

    A child whose window lies outside the service's years could not have started it: to
    compare it with those who did would compare years.
    """
    trial = plan.trials[name]
    first = (base.birth_month + ibis.interval(months=trial.time_zero)).cast("date")
    last = base.birth_month + ibis.interval(months=trial.time_zero + plan.months.grace)
    told = {}
    for service in sorted((s for s in services if s.id in trial.in_play), key=lambda s: s.id):
        open_ = first >= ibis.literal(service.starts)
        if service.ends is not None:
            open_ &= last.cast("date") <= ibis.literal(service.ends + timedelta(days=1))
        told[f"{name}_offered_{service.id}"] = open_.fill_null(False)
    return told


def combination(began: dict[str, Any]) -> Any:
    """Name the services that began, alphabetically, joined by ` + `; `none` where none did."""
    parts = [ibis.ifelse(flag, service, ibis.null("string")) for service, flag in began.items()]
    return ibis.literal(" + ").join(parts).nullif("").fill_null(NONE)


def _doses(told: ir.Table, plan: Plan) -> ir.Table:
    """Count attended contacts in the dose window; a period's sessions are spread over its days."""
    doses: dict[str, Any] = {}
    for name, trial in plan.trials.items():
        begin = (told.birth_month + ibis.interval(months=trial.time_zero)).cast("date")
        ended = trial.time_zero + plan.months.dose
        end = (told.birth_month + ibis.interval(months=ended)).cast("date")
        share = _share(told, begin, end)
        for service in sorted(trial.in_play):
            dose = (told.sessions * share).sum(where=told.service == service)
            doses[f"{name}_dose_{service}"] = dose.round(6).round().cast("int64")
    return told.group_by(*CHILD).agg(**doses)


def _share(told: ir.Table, begin: Any, end: Any) -> Any:
    first = ibis.greatest(told.date_from, begin)
    last = ibis.least(told.date_to, (end - ibis.interval(days=1)).cast("date"))
    inside = ibis.greatest(last.delta(first, unit="day") + 1, 0)
    return inside / (told.date_to.delta(told.date_from, unit="day") + 1)


def reach(
    wide: ir.Table, children: ir.Table, services: Sequence[Service], by: str, partners: int
) -> ir.Table:
    """Count, by one dimension, the children each service has and has not reached: a cube."""
    both = wide.join(children.select("study_id", "family_id", by), "study_id")
    both = both.mutate(**{by: both[by].fill_null("not_known")})
    parts = [_used(both, name, by, partners) for name in sorted(s.id for s in services)]
    return reduce(lambda a, b: a.union(b), parts)


def with_contacts(cube: ir.Table, told: ir.Table, children: ir.Table, by: str) -> ir.Table:
    """Return a cube of reach with the contacts attended in each cell, and the two largest shares.

    They are the contacts before the age that `used` asks about; a child not reached has none.
    """
    each = told.filter(_.month < FOUR_YEARS).group_by("study_id", "service")
    each = each.agg(n=_.sessions.sum()).join(children.select("study_id", by), "study_id")
    each = each.mutate(**{by: each[by].fill_null("not_known")})
    ranked = each.mutate(
        rank=ibis.row_number().over(group_by=[by, "service"], order_by=[_.n.desc(), _.study_id])
    )
    columns = {"sum": ranked.n.sum(), "top1": ranked.n.max(where=ranked["rank"] == 0),
               "top2": ranked.n.max(where=ranked["rank"] == 1)}  # fmt: skip
    sums = ranked.group_by(by, "service").agg(**{f"{k}_contacts": v for k, v in columns.items()})
    both = cube.left_join(sums.mutate(used=ibis.literal("used")), [by, "service", "used"])
    named = {f"{k}_contacts": both[f"{k}_contacts"].cast("float64") for k in columns}
    return both.select(*cube.columns, **named).fill_null(dict.fromkeys(named, 0.0))


def _used(both: ir.Table, service: str, by: str, partners: int) -> ir.Table:
    used = ibis.ifelse(both[f"used_{service}"], "used", "not_used")
    counted = (
        both.select(by, "family_id", service=ibis.literal(service), used=used)
        .group_by(by, "service", "used")
        .agg(children=_.count(), families=_.family_id.nunique())
    )
    # Who used a service is told by one partner; who did not, by all of them.
    feeding = ibis.ifelse(counted.used == "used", 1, partners).cast("int64")
    return counted.mutate(partners=feeding)


def combinations(wide: ir.Table, children: ir.Table, plan: Plan, partners: int) -> ir.Table:
    """Count eligible new users by the exact combination they started: a cube."""
    parts = []
    for name in plan.trials:
        both = wide.join(children.select("study_id", "family_id", f"{name}_eligible"), "study_id")
        inside = both.filter(both[f"{name}_eligible"] & both[f"{name}_new_user"])
        started = inside[f"{name}_g{plan.months.grace}_combination"]
        counted = (
            inside.select("family_id", trial=ibis.literal(name), combination=started)
            .group_by("trial", "combination")
            .agg(children=_.count(), families=_.family_id.nunique())
        )
        parts.append(counted.mutate(partners=ibis.literal(partners).cast("int64")))
    return reduce(lambda a, b: a.union(b), parts)


def _words(service: str) -> str:
    return service.replace("_", " ")


def starts_chart(wide: ir.Table, plan: Plan, trial: str) -> Any:
    """Draw in which month of age each service in play began, with the window marked."""
    import matplotlib.pyplot as plt

    asked = plan.trials[trial]
    figure, axes = plt.subplots()
    for service in asked.in_play:
        counted = wide.filter(wide[f"start_{service}"].between(-6, 60)).group_by(
            month=f"start_{service}"
        )
        table = counted.agg(n=_.count()).order_by("month").to_pandas()
        axes.plot(table["month"], table["n"], label=_words(service), linewidth=1.4)
    axes.axvspan(asked.time_zero, asked.time_zero + plan.months.grace, color="0.88", zorder=0)
    axes.set_title(f"Children by age at their first contact, trial {trial}")
    axes.set_xlabel("months of age")
    axes.set_ylabel("children in the month")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    plt.close(figure)
    return figure


def combinations_chart(counted: pd.DataFrame, trial: str, most: int = 15) -> Any:
    """Draw the commonest combinations as dots and bars."""
    import matplotlib.pyplot as plt

    table = counted[(counted["trial"] == trial) & (counted["combination"] != NONE)]
    table = table.sort_values(["children", "combination"], ascending=[False, True]).head(most)
    services = sorted({s for c in table["combination"] for s in c.split(" + ")})
    figure, (top, dots) = plt.subplots(2, 1, sharex=True, height_ratios=[2, 1], figsize=(7.2, 4.4))
    bars = top.bar(range(len(table)), table["children"])
    top.bar_label(bars, fmt="{:,.0f}", fontsize=8)
    for x, text in enumerate(table["combination"]):
        rows = [services.index(s) for s in text.split(" + ")]
        dots.plot([x] * len(rows), rows, "o-", color="0.2", markersize=5)
    dots.set_yticks(range(len(services)), map(_words, services))
    dots.set_xticks([])
    top.set_title(f"Combinations started in the window, trial {trial}")
    plt.close(figure)
    return figure


def delivered(contacts: ir.Table, told: ir.Table, services: Sequence[Service]) -> pd.DataFrame:
    """Describe each service as TIDieR asks: what is planned, and what was delivered.

    Contacts and weeks are medians over the children it reached; attended is the share of
    appointments. What no record says (why, materials, tailoring, changes) stays open.
    """
    import pandas as pd

    each = told.group_by("study_id", "service").agg(
        contacts=_.sessions.sum(), first=_.date_from.min(), last=_.date_to.max()
    )
    each = each.mutate(weeks=each["last"].delta(each["first"], unit="day") / 7)
    reached = each.group_by("service").agg(
        children=_.count(), contacts=_.contacts.median(), weeks=_.weeks.median()
    )
    kept = contacts.filter(_.attended.isin(["attended", "missed"]))
    came = kept.group_by("service").agg(attended=(_.attended == "attended").mean())
    both = reached.left_join(came, "service").drop("service_right").to_pandas()
    planned = pd.DataFrame(
        [
            {"service": s.id, "1 name": s.name, "2 strand": s.strand, "5 provider": s.partner,
             "6 how, 7 where": s.setting, "4 for whom": f"{s.reach}, {s.recipient}",
             "8 ages": f"{s.months[0]} to {s.months[1]} months"}
            for s in services
        ]
    )  # fmt: skip
    told_so = both.rename(
        columns={"contacts": "8 contacts", "weeks": "8 weeks", "attended": "12 attended"}
    ).round({"8 weeks": 1, "12 attended": 2})
    whole = planned.merge(told_so, on="service", how="left").drop(columns="service")
    return whole.assign(**{"2 why, 3 materials, 9 tailoring, 10 changes": "OPEN"})


def by_grace(wide: ir.Table, plan: Plan, trial: str, most: int = 8) -> pd.DataFrame:
    """Count the commonest combinations under each grace period of the plan."""
    import pandas as pd

    told = {}
    for grace in plan.months.graces:
        column = f"{trial}_g{grace}_combination"
        inside = wide.filter(wide[f"{trial}_new_user"]).group_by(combination=column)
        told[f"{grace} months"] = inside.agg(n=_.count()).to_pandas().set_index("combination")["n"]
    table = pd.DataFrame(told).fillna(0).astype(int)
    widest = f"{max(plan.months.graces)} months"
    ordered: pd.DataFrame = table.sort_values(widest, ascending=False).head(most + 1)
    return ordered.reset_index()


def order_chart(told: ir.Table, fewest: int = 100) -> Any:
    """Draw which service came first and which came next, over services with enough children."""
    import matplotlib.pyplot as plt

    first = told.group_by("study_id", "service").agg(month=_.date_from.min()).to_pandas()
    first = first.sort_values(["study_id", "month", "service"])
    first["next"] = first.groupby("study_id")["service"].shift(-1)
    counts = first.groupby(["service", "next"]).size().unstack(fill_value=0)
    names = [s for s in counts.index if counts.loc[s].sum() >= fewest]
    grid = counts.reindex(index=names, columns=names, fill_value=0)
    share = grid.div(counts.loc[names].sum(axis=1), axis=0).to_numpy()
    figure, axes = plt.subplots(figsize=(7.2, 6.6))
    axes.imshow(share, cmap="Blues", vmin=0, vmax=0.5)
    words = [_words(n) for n in names]
    axes.set_xticks(range(len(names)), words, rotation=60, ha="right", fontsize=7)
    axes.set_yticks(range(len(names)), words, fontsize=7)
    for i, row in enumerate(share):
        for j, value in enumerate(row):
            if value >= 0.10:
                axes.text(j, i, f"{100 * value:.0f}", ha="center", va="center", fontsize=7,
                          color="white" if value > 0.3 else "black")  # fmt: skip
    axes.set_title("Of the children who began the row, the share (%) whose next was the column")
    plt.close(figure)
    return figure
