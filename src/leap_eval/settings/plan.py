"""The analysis plan: what will be compared with what, written down before outcomes are opened."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from leap_eval.contracts import COHORT, PERSONS
from leap_eval.errors import PlanError
from leap_eval.reference.instruments import INSTRUMENTS
from leap_eval.settings.params import load_params, read_yaml

Status = Literal["prespecified", "amended", "exploratory"]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,40}$")]

# Each old word with what it did in 200 worlds without any effect, and what to ask instead.
BANNED = {
    "ever_used": "finds -.241 SD where the truth is 0, every time: the children watched longest "
    "use most; ask for starts_in_grace of a review age",
    "services_to_outcome_date": "finds +.042 SD a service where the truth is 0, every time; "
    "ask for breadth_in_grace, a count by a fixed age",
    "contacts_among_completers": "finds +.033 SD a contact where the truth is 0, every time; "
    "ask for dose_in_window, with leavers weighted",
}


class Exposure(StrEnum):
    """The kinds of exposure that look only at a window fixed by age."""

    STARTS_IN_GRACE = "starts_in_grace"
    DOSE_IN_WINDOW = "dose_in_window"
    BREADTH_IN_GRACE = "breadth_in_grace"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Months(_Part):
    """Windows in whole months, all counted from time zero."""

    grace: int = Field(default=6, ge=1, le=24)
    grace_sensitivity: tuple[int, ...] = (3, 9)
    dose: int = Field(default=9, ge=1, le=36)

    @property
    def graces(self) -> tuple[int, ...]:
        """All grace periods, in order."""
        return tuple(sorted({self.grace, *self.grace_sensitivity}))


class Trial(_Part):
    """One target trial: time zero is a review age, never something a family brings about."""

    time_zero: int = Field(ge=0, le=120)
    in_play: tuple[Word, ...] = Field(min_length=1)
    exposure: Exposure = Exposure.STARTS_IN_GRACE

    @field_validator("exposure", mode="before")
    @classmethod
    def _not_banned(cls, kind: object) -> object:
        if kind in BANNED:
            raise ValueError(f"`{kind}` {BANNED[str(kind)]}")
        return kind


class Covariate(_Part):
    """A background value of `persons`, used only if dated at or before time zero.

    `source` (written `from`) is a column of the contract PERSONS. With `equals` the
    covariate is 1 where the code is that one, 0 at another, missing where unknown.
    """

    source: Word = Field(alias="from")
    dated: Literal["fixed", "latest"]
    block: Word
    equals: str | None = None


class Arms(_Part):
    """Which combinations get an arm of their own."""

    minimum: int = Field(default=150, ge=20)
    most: int = Field(default=12, ge=1, le=40)
    named: tuple[tuple[Word, ...], ...] = ()
    dose: tuple[str, ...] = ("1-2", "3-5", "6-9", "10+")
    breadth: tuple[str, ...] = ("0", "1", "2", "3+")


class Pairs(_Part):
    """Which pairs are asked about synergy."""

    named: tuple[tuple[Word, Word], ...] = ()
    scan: bool = True


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class OutcomeRule(_Part):
    """One outcome: which result, at what age, in which trial, and how it is told."""

    instrument: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(min_length=1)
    item: Word
    trial: str
    age: tuple[int, int]
    better: Literal["higher", "lower"]
    scale: Literal["sd", "risk", "points"]
    fdr_share: float = Field(gt=0, le=1)
    small: float = Field(gt=0)
    levels: dict[str, float] | None = None  # codes of `level` told as numbers
    births: tuple[date, date] | None = None  # birth months for which the instrument was in use

    @field_validator("age")
    @classmethod
    def _in_order(cls, age: tuple[int, int]) -> tuple[int, int]:
        if not 0 <= age[0] < age[1]:
            raise ValueError("two ages in months, the lower first")
        return age


class Controls(_Part):
    """What no service can have moved."""

    outcomes: tuple[Word, ...] = ()
    exposures: Literal["started_after_outcome"] = "started_after_outcome"


class Levels(_Part):
    """Level of the joint bands, and of the false discovery rate over all outcomes."""

    band: float = Field(default=0.95, ge=0.5, lt=1)
    fdr: float = Field(default=0.10, gt=0, lt=1)


class Plan(_Part):
    """The whole plan; its hash stands beside every estimate."""

    question: str = Field(min_length=10, max_length=300)
    months: Months = Months()
    trials: dict[Word, Trial] = Field(min_length=1)
    covariates: dict[Word, Covariate] = Field(min_length=1)
    adjust_also: tuple[Literal["birth_month", "services_out_of_play"], ...] = (
        "birth_month",
        "services_out_of_play",
    )
    arms: Arms = Arms()
    pairs: Pairs = Pairs()
    subgroups: tuple[Word, ...] = ()
    outcomes: dict[Word, OutcomeRule] = Field(min_length=1)
    controls: Controls = Controls()
    levels: Levels = Levels()

    @model_validator(mode="after")
    def _hangs_together(self) -> Plan:
        broken = [*self._shares(), *self._ages(), *self._services()]
        if broken:
            raise ValueError("; ".join(broken))
        return self

    def _shares(self) -> list[str]:
        total = round(sum(o.fdr_share for o in self.outcomes.values()), 6)
        return [] if total == 1 else [f"outcomes: fdr_share must sum to 1, sums to {total:g}"]

    def _ages(self) -> list[str]:
        broken = []
        for name, rule in self.outcomes.items():
            if rule.trial not in self.trials:
                broken.append(f"outcomes.{name}.trial: no such trial; see plan.trials")
                continue
            last = self.trials[rule.trial].time_zero + max(*self.months.graces, self.months.dose)
            if last > rule.age[0]:
                broken.append(
                    f"outcomes.{name}.age: begins at {rule.age[0]} months, the windows of trial "
                    f"{rule.trial} end at {last}; a window may not reach the outcome"
                )
        return broken

    def _services(self) -> list[str]:
        played = {s for t in self.trials.values() for s in t.in_play}
        named = {s for group in (*self.arms.named, *self.pairs.named) for s in group}
        strange = sorted(named - played)
        return [f"arms and pairs: {', '.join(strange)} in play in no trial"] if strange else []

    @property
    def services(self) -> tuple[str, ...]:
        """Every service in play in some trial, in alphabetical order."""
        return tuple(sorted({s for t in self.trials.values() for s in t.in_play}))


class Frozen(_Part):
    """One line of `plan_frozen`: which plan was laid down, when, and whether before outcomes."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    on: date
    before_outcomes: bool
    why: str = Field(min_length=3, max_length=300)


def plan_hash(plan: Plan) -> str:
    """Return the SHA-256 of the plan's canonical JSON: layout and comments do not matter."""
    told = plan.model_dump(mode="json", by_alias=True)
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def status_of(plan: Plan, frozen: tuple[Frozen, ...]) -> Status:
    """Say how the plan stands: laid down before outcomes were opened, after, or never."""
    own = [line for line in frozen if line.sha256 == plan_hash(plan)]
    if not own:
        return "exploratory"
    return "prespecified" if own[0].before_outcomes else "amended"


def propensity_floor(share: float) -> float:
    """Return the smallest propensity used for an arm of this share.

    A floor of .01 would bite into arms of 2 %, hence the relative one.
    """
    return max(0.002, min(0.01, 0.1 * share))


def parse_plan(raw: dict[str, Any], outcomes: tuple[str, ...] = ()) -> Plan:
    """Make a plan of a mapping; every finding at once, each with its place and rule."""
    findings: list[str] = []
    plan = None
    try:
        plan = Plan(**raw)
    except ValidationError as broken:
        findings = [_finding(e) for e in broken.errors(include_input=False)]
    except TypeError:
        findings = ["the keys must be words"]
    if plan is not None and outcomes and set(plan.outcomes) != set(outcomes):
        odd = ", ".join(sorted(set(plan.outcomes) ^ set(outcomes)))
        findings = [f"outcomes: {odd} stands in only one of `plan` and the list `outcomes`"]
    if plan is None or findings:
        raise PlanError("params.yaml, plan:\n  " + "\n  ".join(findings))
    return plan


def _finding(error: Any) -> str:
    place = ".".join(map(str, error["loc"])) or "plan"
    return f"{place}: {error['msg'].removeprefix('Value error, ')}"


def load_plan(root: Path) -> Plan:
    """Read the plan of params.yaml, and check it against what the programme and the code know."""
    params = load_params(root)
    plan = parse_plan(params.plan, params.outcomes)
    text = (root / "programme.yaml").read_text(encoding="utf-8")
    services = {str(s.get("id")) for s in read_yaml(text, "programme.yaml").get("services", [])}
    if findings := strange(plan, services):
        raise PlanError("params.yaml, plan:\n  " + "\n  ".join(findings))
    return plan


def strange(plan: Plan, services: set[str]) -> list[str]:
    """Tell every service, column, instrument and item a plan names that nobody else knows."""
    told = [
        *(_odd(f"trials.{n}.in_play", t.in_play, services, "services of programme.yaml")
          for n, t in plan.trials.items()),
        *(_odd(f"covariates.{n}.from", (c.source,), PERSONS.columns, "columns of persons")
          for n, c in plan.covariates.items()),
        _odd("controls.outcomes", plan.controls.outcomes, PERSONS.columns, "columns of persons"),
        _odd("subgroups", plan.subgroups, COHORT.columns, "columns of the cohort"),
    ]  # fmt: skip
    for name, rule in plan.outcomes.items():
        told.append(
            _odd(f"outcomes.{name}.instrument", rule.instrument, INSTRUMENTS, "instruments")
        )
        items = {i for instrument in rule.instrument for i in INSTRUMENTS.get(instrument, ())}
        told.append(_odd(f"outcomes.{name}.item", (rule.item,), items, "items of its instrument"))
    return [t for t in told if t]


def _odd(place: str, names: Iterable[str], known: Collection[str], what: str) -> str:
    odd = sorted(set(names) - set(known))
    return f"{place}: {', '.join(odd)}: not among the {what}; mend the word" if odd else ""


def load_frozen(root: Path) -> tuple[Frozen, ...]:
    """Read which plans have been frozen, oldest first."""
    broken = 0
    lines: list[Frozen] = []
    for number, raw in enumerate(load_params(root).plan_frozen, start=1):
        try:
            lines.append(Frozen(**raw))
        except (ValidationError, TypeError):
            broken = broken or number
    if broken:
        raise PlanError(
            f"params.yaml, plan_frozen, line {broken}: needs sha256, on, before_outcomes, why; "
            "only `leap-eval plan freeze` writes here"
        )
    return tuple(lines)
