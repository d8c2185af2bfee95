"""The table contracts: every table that crosses a stage, column by column.

A contract is a declaration; `check` lets the engine count the breaches and
raises with counts alone, so that no message can quote a cell.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from leap_eval.errors import ContractError

if TYPE_CHECKING:
    import ibis.expr.types as ir

RECORD_KEY = r"^rk1_[a-z2-7]{28}$"
STUDY_ID = r"^sid1_[a-z2-7]{28}$"
FAMILY_ID = r"^fid1_[a-z2-7]{28}$"
SERVICE = r"^[a-z][a-z0-9_]{2,30}$"
CODE = r"^[A-Za-z0-9_.:@+<>= -]{1,120}$"

ROLES = ("child", "adult")
SEXES = ("f", "m", "x")
GROUPS5 = ("white", "mixed", "asian", "black", "other", "not_stated", "not_known")
LANGUAGES = ("english", "other", "not_stated", "not_known")
YES_NO = ("yes", "no", "not_stated", "not_known")
ATTENDED = ("attended", "missed", "cancelled_family", "cancelled_service")
MODES = ("in_person", "home", "phone", "online")
BANDS = ("sure", "uncertain", "single")
METHODS = ("id", "profile", "tokens", "none")
GRADES = ("A", "B", "C", "D", "N")
STATUSES = ("prespecified", "amended", "exploratory")
UNITS = ("sd", "risk", "points")
CHECKS = ("pass", "warn", "fail", "not_run")


@dataclass(frozen=True, slots=True)
class Column:
    """What one column holds: its type, its meaning, and what a cell may be."""

    kind: str  # str, int, float, bool, date
    meaning: str
    null: bool = False
    among: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    shape: str | None = None

    def allows(self, value: Any) -> bool:
        """Tell whether a cell may hold this value of the right type."""
        if value is None:
            return self.null
        inside = (self.low is None or value >= self.low) and (
            self.high is None or value <= self.high
        )
        listed = not self.among or value in self.among
        return inside and listed and (self.shape is None or bool(re.search(self.shape, value)))


@dataclass(frozen=True, slots=True)
class Contract:
    """One kind of table: what a row is, its key, its columns, its families of columns.

    `families` are columns known by the shape of their name, such as one
    propensity per arm; the first pattern that matches declares the column.
    """

    name: str
    row: str
    key: tuple[str, ...]
    columns: dict[str, Column]
    families: tuple[tuple[str, Column], ...] = field(default=())
    personal: bool = True

    def column(self, name: str) -> Column | None:
        """Return the declaration of a column, or None where the contract has none."""
        if name in self.columns:
            return self.columns[name]
        return next((c for pattern, c in self.families if re.fullmatch(pattern, name)), None)


def _s(meaning: str, *among: str, null: bool = False, shape: str | None = None) -> Column:
    return Column("str", meaning, null=null, among=among, shape=shape)


def _i(
    meaning: str, low: float | None = None, high: float | None = None, null: bool = False
) -> Column:
    return Column("int", meaning, null=null, low=low, high=high)


def _f(
    meaning: str, low: float | None = None, high: float | None = None, null: bool = False
) -> Column:
    return Column("float", meaning, null=null, low=low, high=high)


def _b(meaning: str, null: bool = False) -> Column:
    return Column("bool", meaning, null=null)


def _d(meaning: str, null: bool = False) -> Column:
    return Column("date", meaning, null=null)


_RECORD = _s("a keyed pseudonym of a partner's record", shape=RECORD_KEY)
_STUDY = _s("the pseudonym of one person in this project", shape=STUDY_ID)
_FAMILY = _s("the pseudonym of one family in this project", shape=FAMILY_ID)
_SOURCE = {
    "collected_on": _d("the day the partner shared the row"),
    "submission_id": _s("the submission it came with", shape=r"^[a-z2-7]{16}$"),
    "row": _i("its place in the submission", low=0),
}
_BACKGROUND = {
    "need_level": _i("recorded health-visiting level", 0, 2, null=True),
    "review_on_12": _d("the day of the 12-month review", null=True),
    "review_on_24": _d("the day of the 24-month review", null=True),
    "concern_12": _b("a concern at the 12-month review", null=True),
    "concern_24": _b("a concern at the 24-month review", null=True),
    "birthweight_g": _f("birthweight in grams", 200, 8000, null=True),
    "gestation_weeks": _f("completed weeks of gestation", 20, 45, null=True),
    "parity": _i("earlier births of the mother", 0, 20, null=True),
}

FILED_PERSONS = Contract(
    "filed persons",
    "one row per person a submission tells of, as the intake filed it",
    ("record_key", "row"),
    {
        "record_key": _RECORD,
        "partner": _s("the partner that sent the row", shape=SERVICE),
        "role": _s("child or adult", *ROLES),
        "birth_month": _d("first day of the month of birth", null=True),
        "due_month": _d("first day of the month of the due date", null=True),
        "sex": _s("sex", *SEXES, null=True),
        "ethnicity": _s("the code of its standard", null=True, shape=CODE),
        "ethnicity_standard": _s("the standard of the code", null=True, shape=CODE),
        "ethnicity_group5": _s("ethnic group, five groups", *GROUPS5),
        "home_language": _s("first language at home", *LANGUAGES),
        "disability": _s("disability or special educational need", *YES_NO),
        "area_kind": _s("what the area code is", "lsoa", "ward", "sector", null=True),
        "area": _s("the small area", null=True, shape=CODE),
        "ward": _s("the ward", null=True, shape=CODE),
        "imd_decile": _i("deprivation decile, 1 is most deprived", 1, 10, null=True),
        "family_key": _s("a keyed pseudonym of the partner's family", null=True, shape=RECORD_KEY),
        **_BACKGROUND,
        **_SOURCE,
    },
)
PERSONS = Contract(
    "persons",
    "one row per record of a partner",
    ("record_key",),
    {
        **FILED_PERSONS.columns,
        "area_on": _d("the day the area was told", null=True),
        "need_level_on": _d("the day the need level was told", null=True),
        "disability_on": _d("the day the disability was told", null=True),
    },
)
CONTACTS = Contract(
    "contacts",
    "one row per contact of a record with a service",
    ("record_key", "service", "date_from", "date_to", "submission_id", "row"),
    {
        "record_key": _RECORD,
        "service": _s("a service of programme.yaml", shape=SERVICE),
        "date_from": _d("the day of the contact, or the first of the period"),
        "date_to": _d("the day of the contact, or the last of the period"),
        "sessions": _i("sessions in the period", 0, 10_000),
        "attended": _s("whether it took place", *ATTENDED),
        "minutes": _i("whole minutes", 0, 6000, null=True),
        "mode": _s("how it took place", *MODES, null=True),
        "age_months": _i("months from the birth month", -12, 1200, null=True),
        "in_scope": _b("inside the ages and years of the programme"),
        **_SOURCE,
    },
)
OUTCOMES = Contract(
    "outcomes",
    "one row per result of an instrument's item",
    ("record_key", "instrument", "item", "measured_on", "submission_id", "row"),
    {
        "record_key": _RECORD,
        "instrument": _s("instrument and form, such as asq3@27", shape=CODE),
        "item": _s("what was measured", shape=CODE),
        "measured_on": _d("the day of the measurement"),
        "value": _f("the result as a number", null=True),
        "level": _s("the result as a code", null=True, shape=CODE),
        "age_months": _i("months from the birth month", -12, 1200, null=True),
        "in_window": _b("measured at an age the instrument is meant for"),
        **_SOURCE,
    },
)
LINKS = Contract(
    "links",
    "one row per record: which person it is",
    ("record_key",),
    {
        "partner": _s("the partner that holds the record", shape=SERVICE),
        "record_key": _RECORD,
        "role": _s("child or adult", *ROLES),
        "study_id": _STUDY,
        "family_id": _s("the family", null=True, shape=FAMILY_ID),
        "probability": _f("probability that the record belongs to this person", 0, 1),
        "band": _s("how sure the link is", *BANDS),
        "method": _s("what made the link", *METHODS),
        "study_id_strict": _STUDY,
        "study_id_loose": _STUDY,
        "link_weight": _f("weight that repairs missed links", 1, 3),
        "flags": _s("remarks, comma-separated", shape=r"^[a-z_,]*$"),
    },
)
EDGES = Contract(
    "edges",
    "one row per compared pair of records with a probability of .01 or more",
    ("record_key_a", "record_key_b"),
    {
        "record_key_a": _RECORD,
        "record_key_b": _RECORD,
        "bits": _f("match weight in bits"),
        "probability": _f("probability that both are one person", 0, 1),
        "tier": _s("the token tier compared", "A", "B"),
        "accepted": _b("the decision links them"),
        "band": _s("how sure the pair is", "sure", "uncertain", "unlikely"),
    },
    families=((r"level_[a-z]+", _i("level of one comparison", -1, 30)),),
)
DRAWS = Contract(
    "draws",
    "one row per draw and record touched by an uncertain link",
    ("draw", "record_key"),
    {"draw": _i("number of the draw", 1, 1000), "record_key": _RECORD, "study_id": _STUDY},
)
COHORT = Contract(
    "cohort",
    "one row per child; of link draws, per child they touch",
    ("study_id", "draw"),
    {
        "study_id": _STUDY,
        "family_id": _FAMILY,
        "draw": _i("0 the best links; 1..D link draws; -1 strict; -2 loose", -2, 1000),
        "present": _b("the child exists in this draw"),
        "birth_month": _d("first day of the month of birth", null=True),
        "ward": _s("the first ward known", null=True, shape=CODE),
        "left_month": _d("first month known to be out of the area", null=True),
        "partners": _i("partners that know the child", 0, 1000),
        "imd_third": _s("deprivation decile in thirds", "most", "middle", "least", "not_known"),
        "ethnicity_group5": _s("ethnic group, five groups", *GROUPS5),
        "home_language": _s("first language at home", *LANGUAGES),
        "disability": _s("disability", *YES_NO),
        "sex": _s("sex", *SEXES, "not_known"),
        "link_weight": _f("weight that repairs missed links", 1, 3),
    },
    families=(
        (r"[a-z0-9]+_time_zero", _d("time zero of the trial", null=True)),
        (r"[a-z0-9]+_eligible", _b("eligible in the trial")),
        (r"[a-z0-9]+_reason", _s("first rule that fails, or eligible", shape=SERVICE)),
        (r"[a-z0-9]+_x_[a-z0-9_]+", _f("covariate dated at or before time zero", null=True)),
        (r"[a-z0-9]+_nc_[a-z0-9_]+", _f("negative-control outcome", null=True)),
    ),
)
EXPOSURE = Contract(
    "exposure",
    "one row per child; of link draws, per child they touch",
    ("study_id", "draw"),
    {"study_id": _STUDY, "draw": _i("link draw", -2, 1000)},
    families=(
        (
            r"start_[a-z0-9_]+",
            _i("months from birth month to the first attended contact", -12, 600, null=True),
        ),
        (r"used_[a-z0-9_]+", _b("used the service before the age of 48 months")),
        (r"[a-z0-9]+_new_user", _b("no service in play started before time zero")),
        (r"[a-z0-9]+_used_[a-z0-9_]+", _b("a service out of play started before time zero")),
        (r"[a-z0-9]+_offered_[a-z0-9_]+", _b("the service was open for the whole window")),
        (r"[a-z0-9]+_g\d+_combination", _s("services in play started in the window", shape=CODE)),
        (r"[a-z0-9]+_g\d+_breadth", _i("how many services in play started", 0, 100)),
        (r"[a-z0-9]+_dose_[a-z0-9_]+", _i("contacts attended in the dose window", 0, 100_000)),
    ),
)
DESIGN = Contract(
    "design",
    "one row per child (of link draws, per child they touch), all that stage 06 needs but outcomes",
    ("study_id", "draw"),
    {
        "study_id": _STUDY,
        "family_id": _FAMILY,
        "draw": _i("link draw", -2, 1000),
        "birth_month": _d("first day of the month of birth", null=True),
        "ward": _s("the first ward known", null=True, shape=CODE),
        "left_month": _d("first month known to be out of the area", null=True),
        "link_weight": _f("weight that repairs missed links", 1, 3),
    },
    families=(
        (r"[a-z0-9]+_time_zero", _d("time zero of the trial", null=True)),
        (r"[a-z0-9]+_x_[a-z0-9_]+", _f("covariate", null=True)),
        (r"[a-z0-9]+_nc_[a-z0-9_]+", _f("negative-control outcome", null=True)),
        (r"start_[a-z0-9_]+", _i("months to the first contact", -12, 600, null=True)),
        (r"group_[a-z0-9_]+", _s("subgroup of the child", shape=CODE)),
        (r"arm\.[a-z0-9.:+_-]+", _i("arm of the set, -1 not eligible", -1, 1000)),
        (r"fold_\d", _i("fold of the child", 0, 100)),
        (r"p\.[a-z0-9.:+_-]+", _f("cross-fitted propensity", 0, 1, null=True)),
    ),
)
ESTIMATES = Contract(
    "estimates",
    "one row per contrast",
    ("outcome", "family", "contrast", "subgroup"),
    {
        "outcome": _s("an outcome of the plan", shape=SERVICE),
        "trial": _s("the trial", shape=r"^[a-z0-9]+$"),
        "family": _s("the family of contrasts", shape=SERVICE),
        "contrast": _s("what is compared", shape=CODE),
        "arms": _s("services of the arm, joined by ` + `", shape=CODE),
        "reference": _s("the arm compared with", shape=CODE),
        "subgroup": _s("all, or one subgroup", shape=CODE),
        "n_arm": _i("children in the arm with a result", 0),
        "n_reference": _i("children in the reference arm with a result", 0),
        "ess": _f("effective sample size of the arm", 0, null=True),
        "estimate": _f("difference in means over all eligible", null=True),
        "se": _f("standard error, clustered by family", 0, null=True),
        "low": _f("pointwise 95 % limit", null=True),
        "high": _f("pointwise 95 % limit", null=True),
        "band_low": _f("joint 95 % limit over the family", null=True),
        "band_high": _f("joint 95 % limit over the family", null=True),
        "crit": _f("critical value of the joint band", null=True),
        "area_low": _f("joint 95 % limit with areas as clusters", null=True),
        "area_high": _f("joint 95 % limit with areas as clusters", null=True),
        "pooled": _f("estimate pulled towards the sum of its services", null=True),
        "pooled_low": _f("limit of the pulled estimate", null=True),
        "pooled_high": _f("limit of the pulled estimate", null=True),
        "share_missing": _f("share of the variance that gaps add", 0, 1, null=True),
        "share_links": _f("share of the variance that uncertain links add", 0, 1, null=True),
        "unit": _s("the unit of the estimate", *UNITS),
        "mde80": _f("smallest effect found with power .80", 0, null=True),
        "p": _f("p value", 0, 1, null=True),
        "q": _f("adjusted p value over all families of the outcome", 0, 1, null=True),
        "evalue": _f("E-value of the estimate", 1, null=True),
        "evalue_limit": _f("E-value of the nearer limit", 1, null=True),
        "rv": _f("share a hidden confounder must explain to undo the estimate", 0, 1, null=True),
        "rv_limit": _f("share a hidden confounder must explain to undo the limit", 0, 1, null=True),
        "tipping": _f("SD by which the unrecorded must differ to undo the band", 0, null=True),
        "twin_coverage": _f("joint coverage in the plasmode twin", 0, 1, null=True),
        "grade": _s("computed grade", *GRADES),
        "reason": _s("why the grade is not better", shape=r"^[a-z0-9_ ,.]*$"),
        "status": _s("standing against the frozen plan", *STATUSES),
        "plan_hash": _s("SHA-256 of the plan", shape=r"^[0-9a-f]{64}$"),
        "wording_key": _s("the sentence the page may say", shape=SERVICE),
        "n": _i("children in the model", 0),
        "families": _i("families in the model", 0),
        "df_resid": _i("residual degrees of freedom", 0),
        "rank": _i("rank of the model", 0),
        "patterns": _i("distinct rows of the model", 0),
        "min_level": _i("children in the smallest level", 0),
        "min_events": _i("children in the smallest arm and outcome class", 0),
    },
    families=((r"check_\d+", _s("a robustness check", *CHECKS)),),
    personal=False,
)
CUBE = Contract(
    "cube",
    "one row per cell at the finest codes",
    (),
    {
        "children": _i("children in the cell", 0),
        "families": _i("families in the cell", 0),
        "partners": _i("partners whose data feed the cell", 0),
    },
    families=((r"[a-z][a-z0-9_]*", _s("a dimension", shape=CODE)),),
    personal=False,
)

ALL = (
    FILED_PERSONS,
    PERSONS,
    CONTACTS,
    OUTCOMES,
    LINKS,
    EDGES,
    DRAWS,
    COHORT,
    EXPOSURE,
    DESIGN,
    ESTIMATES,
    CUBE,
)

AnyTable = TypeVar("AnyTable")


def check(table: AnyTable, contract: Contract) -> AnyTable:
    """Return `table` as it came, or raise with a line for each broken column.

    Takes an Ibis table, a pandas frame or an Arrow table.
    """
    asked = _asked(table)
    broken = _names(asked, contract) or _cells(asked, contract) + _repeats(asked, contract)
    if broken:
        heading = f"{contract.name} breaks its contract; mend the step that made it:"
        raise ContractError("\n  ".join([heading, *broken]))
    return table


def settled(table: ir.Table) -> ir.Table:
    """Return the table computed, so that what follows does not compute it again for each use."""
    import ibis

    return ibis.memtable(table.to_pyarrow())


def _asked(table: Any) -> ir.Table:
    import ibis

    return table if isinstance(table, ibis.Table) else ibis.memtable(table)


def _kind(dtype: Any) -> str:
    for kind, test in (
        ("bool", dtype.is_boolean()),
        ("int", dtype.is_integer()),
        ("float", dtype.is_floating() or dtype.is_decimal()),
        ("date", dtype.is_date()),
        ("str", dtype.is_string()),
    ):
        if test:
            return kind
    return "timestamp" if dtype.is_timestamp() else "other"


def _names(table: ir.Table, contract: Contract) -> list[str]:
    schema = table.schema()
    broken = [f"{c}: is missing" for c in contract.columns if c not in schema]
    for place, (name, dtype) in enumerate(schema.items(), start=1):
        column = contract.column(name)
        # A surplus column is told by its place: a lost header makes a child's row the names.
        if column is None:
            broken.append(f"column {place}: not in the contract")
        elif _kind(dtype) != column.kind and not dtype.is_null():
            broken.append(f"{name}: must be {column.kind}, is {_kind(dtype)}")
    return broken


def _good(cells: Any, column: Column) -> Any:
    # A rule of its own: a bare literal would not be a column and could not be counted.
    rules = [cells.notnull()]
    if column.kind == "float":
        rules.append(~cells.cast("float64").isnan())
    if column.among:
        rules.append(cells.isin(column.among))
    if column.shape:
        rules.append(cells.re_search(column.shape))
    if column.low is not None:
        rules.append(cells >= column.low)
    if column.high is not None:
        rules.append(cells <= column.high)
    good = rules[0]
    for rule in rules[1:]:
        good = good & rule
    return good | cells.isnull() if column.null else good.fill_null(False)


def _cells(table: ir.Table, contract: Contract) -> list[str]:
    declared = {name: contract.column(name) for name in table.columns}
    dtypes = table.schema()
    counts = {
        name: (
            table[name].isnull() if dtypes[name].is_null() else ~_good(table[name], column)
        ).sum()
        for name, column in declared.items()
        if column is not None and not (dtypes[name].is_null() and column.null)
    }
    # One count per column is all that leaves the engine: there is no cell to quote.
    found = table.aggregate(**counts).to_pyarrow().to_pylist()[0] if counts else {}
    return [f"{c}: must be {declared[c].meaning} ({n} are not)" for c, n in found.items() if n]  # type: ignore[union-attr]


def _repeats(table: ir.Table, contract: Contract) -> list[str]:
    if not contract.key:
        return []
    keys = table.select(*contract.key)
    repeats = int(table.count().to_pyarrow().as_py()) - int(
        keys.distinct().count().to_pyarrow().as_py()
    )
    return [f"{', '.join(contract.key)}: repeat ({repeats} rows)"] if repeats else []
