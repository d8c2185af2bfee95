"""Stage 03: who is studied, from when, with what background?"""

from __future__ import annotations

from datetime import date
from functools import reduce
from typing import TYPE_CHECKING, Any

import ibis
from ibis import _

from leap_eval.contracts import settled
from leap_eval.draws import unmarked

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pandas as pd

    from leap_eval.settings.plan import Covariate, Plan

# Where the day stands on which a value was told; facts of birth need none.
TOLD_ON = {
    "imd_decile": "area_on",
    "need_level": "need_level_on",
    "disability": "disability_on",
    "concern_12": "review_on_12",
    "concern_24": "review_on_24",
}
UNTOLD = ("not_known", "not_stated")
# Nobody reports that a family has left. Without a sign of life in so many months before time
# zero a child may be gone: it could neither start a service nor be assessed.
SEEN_WITHIN = 12
FIRST_FACTS = ("sex", "ethnicity_group5", "home_language", "disability")


def cohort(
    persons: ir.Table, contacts: ir.Table, links: ir.Table, plan: Plan, as_at: date
) -> ir.Table:
    """Return one row per child: who they are, whether each trial may count them, their background.

    A value told after time zero is missing, however useful it would be. Where `links` are told
    by `drawn`, so are the children of every other link draw whom it touches.
    """
    records = _children(persons, links)
    base = settled(_base(records))
    seen = _seen(records, contacts)
    trials = [_trial(records, seen, base, name, plan, as_at) for name in plan.trials]
    joined = reduce(lambda left, right: left.join(right, "study_id"), trials, base)
    return settled(unmarked(joined).order_by("draw", "study_id"))


def _seen(records: ir.Table, contacts: ir.Table) -> ir.Table:
    """Return (study_id, day) for every attended contact and every review of a child."""
    met = contacts.filter((_.attended == "attended") & _.in_scope & (_.sessions > 0))
    met = met.join(records.select("record_key", "study_id"), "record_key")
    days = [met.select("study_id", day=_.date_from)]
    days += [records.select("study_id", day=records[c]) for c in ("review_on_12", "review_on_24")]
    return settled(reduce(lambda a, b: a.union(b), days).filter(_.day.notnull()).distinct())


def _children(persons: ir.Table, links: ir.Table) -> ir.Table:
    links = links if "present" in links.columns else links.mutate(present=True)
    who = links.select("record_key", "study_id", "family_id", "link_weight", "present")
    return settled(persons.filter(_.role == "child").join(who, "record_key"))


def _base(records: ir.Table) -> ir.Table:
    facts = {name: _commonest(records, name) for name in ("birth_month", *FIRST_FACTS)}
    base = records.group_by("study_id").agg(
        family_id=_.family_id.min(),
        ward=_.ward.first(order_by=[_.area_on, _.record_key]),
        imd=_.imd_decile.first(order_by=[_.area_on, _.record_key]),
        partners=_.partner.nunique(),
        link_weight=_.link_weight.mean(),
        present=_.present.all(),
    )
    for table in facts.values():
        base = base.left_join(settled(table), "study_id").drop("study_id_right")
    third = ibis.cases(
        (_.imd <= 3, "most"), (_.imd <= 6, "middle"), (_.imd > 6, "least"), else_="not_known"
    )
    return base.mutate(
        left_month=ibis.null("date"),
        imd_third=third,
        sex=_.sex.fill_null("not_known"),
        ethnicity_group5=_.ethnicity_group5.fill_null("not_known"),
        home_language=_.home_language.fill_null("not_known"),
        disability=_.disability.fill_null("not_known"),
    ).drop("imd")


def _commonest(records: ir.Table, name: str) -> ir.Table:
    """Return each child's commonest known value; ties go to the smaller one."""
    known = records.filter(records[name].notnull())
    if name in FIRST_FACTS:
        known = known.filter(~known[name].isin(UNTOLD))
    counted = known.group_by("study_id", name).agg(n=_.count())
    return counted.group_by("study_id").agg(
        **{name: counted[name].first(order_by=[_.n.desc(), counted[name]])}
    )


def _trial(
    records: ir.Table, seen: ir.Table, base: ir.Table, name: str, plan: Plan, as_at: date
) -> ir.Table:
    trial = plan.trials[name]
    zero = (base.birth_month + ibis.interval(months=trial.time_zero)).cast("date")
    at = settled(base.select("study_id", "birth_month", zero=zero))
    since = (_.zero - ibis.interval(months=SEEN_WITHIN)).cast("date")
    lately = seen.join(at, "study_id").filter((_.day < _.zero) & (_.day >= since))
    at = settled(at.mutate(here=at.study_id.isin(lately.study_id)))
    last = ibis.literal(as_at) - ibis.interval(months=plan.months.grace)
    reason = ibis.cases(
        (at.birth_month.isnull(), "no_birth_month"),
        (at.zero > last.cast("date"), "too_young"),
        (~at.here, "not_seen"),
        else_="eligible",
    )
    told = at.select("study_id", **{f"{name}_time_zero": at.zero, f"{name}_reason": reason})
    told = told.mutate(**{f"{name}_eligible": told[f"{name}_reason"] == "eligible"})
    rules = [(f"{name}_x_{x}", rule) for x, rule in plan.covariates.items()]
    rules += [(f"{name}_nc_{c}", _control(c)) for c in plan.controls.outcomes]
    return settled(told.left_join(_wide(records, at, rules), "study_id").drop("study_id_right"))


def _wide(records: ir.Table, at: ir.Table, rules: list[tuple[str, Covariate]]) -> ir.Table:
    # One long table and one pivot: a chain of thirty joins takes seconds to compile.
    parts = [dated(records, at, rule).mutate(column=ibis.literal(name)) for name, rule in rules]
    long = settled(reduce(lambda a, b: a.union(b), parts))
    cells = {name: long.value.max(where=long.column == name) for name, _rule in rules}
    return settled(long.group_by("study_id").agg(**cells))


def _control(source: str) -> Covariate:
    from leap_eval.settings.plan import Covariate

    return Covariate.model_validate({"from": source, "dated": "fixed", "block": "control"})


def dated(records: ir.Table, at: ir.Table, rule: Covariate) -> ir.Table:
    """Return (study_id, value) of a covariate as it was known at time zero: the only door to one.

    `at` holds study_id and `zero`; values told later are left out.
    """
    cells = records[rule.source]
    known = records.filter(cells.notnull())
    if cells.type().is_string():
        known = known.filter(~known[rule.source].isin(UNTOLD))
    value = known[rule.source]
    number = (value == rule.equals).cast("float64") if rule.equals else value.cast("float64")
    on = known[TOLD_ON[rule.source]] if rule.source in TOLD_ON else None
    told = known.select(
        "study_id", "record_key", value=number, on=on if on is not None else ibis.null("date")
    )
    if rule.dated == "latest" or on is not None:
        told = told.join(at.select("study_id", "zero"), "study_id").filter(_.on <= _.zero)
        ordered = [told.on.desc(), told.record_key]
        return told.group_by("study_id").agg(value=told.value.first(order_by=ordered))
    counted = told.group_by("study_id", "value").agg(n=_.count())
    return counted.group_by("study_id").agg(value=_.value.first(order_by=[_.n.desc(), _.value]))


def flow(persons: ir.Table, links: ir.Table, children: ir.Table, plan: Plan) -> ir.Table:
    """Count how records become children and children become eligible: a cube for the gate."""
    people = links.filter(_.role == "child")
    partners = int(persons.partner.nunique().to_pyarrow().as_py())
    steps = [_step(people, "sent_records", partners), _step(children, "linked_children", partners)]
    for name in plan.trials:
        reason = children[f"{name}_reason"]
        step = ibis.literal(f"{name}_").concat(reason)
        counted = children.mutate(step=step).group_by("step").agg(
            children=_.count(), families=_.family_id.nunique()
        )  # fmt: skip
        steps.append(counted.mutate(partners=ibis.literal(partners).cast("int64")))
    return reduce(lambda a, b: a.union(b), steps)


def _step(table: ir.Table, step: str, partners: int) -> ir.Table:
    counted = table.aggregate(children=_.count(), families=_.family_id.nunique())
    told = counted.mutate(step=ibis.literal(step), partners=ibis.literal(partners).cast("int64"))
    return told.select("step", "children", "families", "partners")


def protocol(plan: Plan) -> pd.DataFrame:
    """Return the target-trial table: what one would have randomised, and how it is emulated."""
    import pandas as pd

    rows = []
    for name, trial in plan.trials.items():
        play = ", ".join(trial.in_play)
        rows += [
            (
                name,
                "who",
                f"children seen in the {SEEN_WITHIN} months before, new to every service in play",
            ),
            (name, "time zero", f"birth month + {trial.time_zero} months"),
            (
                name,
                "strategies",
                f"start exactly some of {play} within {plan.months.grace} months, or none",
            ),
            (name, "assignment", "as if random given background told at or before time zero"),
            (name, "follow-up", "to the first result in the age window of the outcome"),
            (name, "estimand", "mean difference over all eligible children"),
        ]
    return pd.DataFrame(rows, columns=["trial", "element", "emulation"])


def known_shares(children: ir.Table, plan: Plan) -> pd.DataFrame:
    """Return, by trial and covariate, the share of the eligible with a value dated in time."""
    import pandas as pd

    rows = []
    for name in plan.trials:
        inside = children.filter(children[f"{name}_eligible"])
        asked = {x: inside[f"{name}_x_{x}"].notnull().mean() for x in plan.covariates}
        (shares,) = inside.aggregate(**asked).to_pyarrow().to_pylist()
        rows += [
            {"trial": name, "covariate": x, "known": round(s or 0.0, 3)} for x, s in shares.items()
        ]
    return pd.DataFrame(rows)


def known_chart(shares: pd.DataFrame) -> Any:
    """Draw which background is known in time: a strip per trial."""
    import matplotlib.pyplot as plt

    wide = shares.pivot_table(index="trial", columns="covariate", values="known")
    figure, axes = plt.subplots(figsize=(7.2, 1.2 + 0.4 * len(wide)))
    axes.imshow(wide.to_numpy(), vmin=0, vmax=1, cmap="Blues", aspect="auto")
    axes.set_xticks(
        range(wide.shape[1]), [str(c).replace("_", " ") for c in wide], rotation=60, ha="right"
    )
    axes.set_yticks(range(len(wide)), list(wide.index))
    for i, row in enumerate(wide.to_numpy()):
        for j, share in enumerate(row):
            axes.text(j, i, f"{100 * share:.0f}", ha="center", va="center", fontsize=7,
                      color="white" if share > 0.6 else "black")  # fmt: skip
    axes.set_title("Background told by time zero, per cent of the eligible")
    plt.close(figure)
    return figure


STEPS = {
    "sent_records": "records that partners sent",
    "linked_children": "children they tell of",
    "no_birth_month": "no birth month known",
    "too_young": "too young by the day of the data",
    "not_seen": f"not seen in the {SEEN_WITHIN} months before",
    "eligible": "eligible",
}


def flow_chart(steps: pd.DataFrame) -> Any:
    """Draw how records become children, and who of them each trial counts or leaves out."""
    import matplotlib.pyplot as plt

    counted = dict(zip(steps["step"], steps["children"], strict=True))
    trials = sorted({s.split("_")[0] for s in counted} - {"sent", "linked"})
    order = [s for s in STEPS if s in counted]
    order += [f"{t}_{s}" for t in trials for s in STEPS if f"{t}_{s}" in counted]
    words = [STEPS.get(s) or f"{s.split('_')[0]}: {STEPS[s.split('_', 1)[1]]}" for s in order]
    figure, axes = plt.subplots(figsize=(7.2, 0.6 + 0.32 * len(order)))
    left_out = [not s.endswith(("records", "children", "eligible")) for s in order]
    colours = ["0.72" if out else "C0" for out in left_out]
    bars = axes.barh(range(len(order)), [counted[s] for s in order], color=colours)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.set_yticks(range(len(order)), words)
    axes.invert_yaxis()
    axes.set_title("Who is counted (blue), and who is not, and why (grey)", loc="left")
    axes.spines["bottom"].set_visible(False)
    axes.set_xticks([])
    plt.close(figure)
    return figure


def births_chart(children: ir.Table, plan: Plan) -> Any:
    """Draw when the eligible reach time zero, month by month, with the closing of March 2020."""
    import matplotlib.pyplot as plt
    import pandas as pd
    from matplotlib.dates import date2num

    figure, axes = plt.subplots(figsize=(7.2, 2.6))
    for name, trial in plan.trials.items():
        inside = children.filter(children[f"{name}_eligible"])
        zero = inside.group_by(zero=f"{name}_time_zero").agg(n=_.count()).order_by("zero")
        table = zero.to_pandas()
        label = f"{name}: {trial.time_zero} months old"
        axes.plot(pd.to_datetime(table["zero"]), table["n"], linewidth=1.3, label=label)
    closing = float(date2num(date(2020, 3, 23)))  # type: ignore[no-untyped-call]  # matplotlib's
    axes.axvline(closing, color="0.4", linewidth=0.8, linestyle="--")
    axes.set_ylim(bottom=0)
    axes.set_title("Eligible children by the month they reach time zero")
    axes.legend(frameon=False)
    plt.close(figure)
    return figure
