"""A sharing agreement: who may send what, on which basis, how each column is read."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

PARTNER = r"^[a-z][a-z0-9_]{2,30}$"

# The closed list of what a column may be: an agreement can neither invent a column nor weaken one.
IDENTIFIERS = frozenset(
    {"forename", "surname", "nhs_number", "upn", "uprn", "guardian_forename"}
    | {"guardian_surname", "multiple_birth", "birth_order"}
)
CONTENT = frozenset(
    {"reference", "family_reference", "role", "birth_date", "due_date", "postcode", "sex"}
    | {"ethnicity", "language", "disability", "need_level", "parity"}
    | {"review_on_12", "review_on_24", "concern_12", "concern_24"}
    | {"consent", "consent_date", "consent_version", "service", "date"}
    | {"period_from", "period_to", "sessions", "attended", "minutes", "mode"}
    | {"instrument", "framework", "item", "value", "level", "measured_on"}
)


def _listed(what: str) -> str:
    if what not in IDENTIFIERS | CONTENT:
        raise ValueError("is none of the things a column may be; see docs/reference")
    return what


Is = Annotated[str, AfterValidator(_listed)]
SPECIAL = {"ethnicity", "disability", "need_level", "concern_12", "concern_24"}
# Words that are no positive opt-in, whatever a form may call them.
NO_OPT_IN = frozenset(
    {"", "assumed", "implied", "deemed", "default", "n/a", "unknown", "pending"}
    | {"verbal", "no objection", "opt-out not received"}
)


class Terms(BaseModel):
    """A part of an agreement: strict, frozen, nothing unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Column(Terms):
    """One agreed column: what it is, what it is called, how a cell is read."""

    what: Is = Field(alias="is")
    column: str
    also: tuple[str, ...] = ()
    format: str | None = None
    codes: str | None = None
    values: dict[str, str] = {}
    missing: tuple[str, ...] = ("",)
    decimal: Literal[".", ","] = "."
    width: int | None = None
    precision: Literal["day", "week", "month"] = "day"
    purpose: str
    required: bool = False


class Table(Terms):
    """One agreed table: its file or sheet, and its columns."""

    source: str = Field(alias="from")
    columns: tuple[Column, ...]

    def column(self, what: str) -> Column | None:
        """Return the column that is `what`, if agreed."""
        return next((c for c in self.columns if c.what == what), None)


class Controller(Terms):
    """Who answers for the data before they are shared."""

    name: str
    ico_number: str
    notice_url: str
    notice_version: str


class LawfulBasis(Terms):
    """Article codes, never labels."""

    article_6: str
    article_9: str | None = None


class Term(Terms):
    """When the agreement is in force."""

    starts: date = Field(alias="from")
    ends: date = Field(alias="to")
    retention_years: int = Field(ge=1, le=25)


class Review(Terms):
    """When it was last looked at, and how often it must be."""

    last: date
    every_months: int = Field(ge=1, le=36)
    approved_by: str
    approved_on: date


class Consent(Terms):
    """What counts as a positive opt-in."""

    wording_version: str
    yes: tuple[str, ...] = Field(min_length=1)


class FileForm(Terms):
    """How the partner's files look."""

    format: Literal["csv", "xlsx"]
    encoding: Literal["utf-8", "utf-8-sig", "utf-16", "cp1252", "iso-8859-1", "iso-8859-15"] = (
        "utf-8"
    )
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","


class Limits(Terms):
    """How much at most, and which share of refused rows makes the fault systematic."""

    mib: int = 64
    rows: int = 200_000
    refused: float = Field(default=0.05, ge=0, le=1)


class Due(Terms):
    """When submissions are expected."""

    every: Literal["month", "quarter", "term", "year"] = "quarter"
    within_days: int = 28


class Submission(Terms):
    """How a submission arrives."""

    portal: dict[str, str] = {"kind": "local"}
    signed: bool = False
    due: Due = Due()
    file: FileForm
    limits: Limits = Limits()


class Agreement(Terms):
    """All of agreements/PARTNER.yaml."""

    partner: str = Field(pattern=PARTNER)
    version: int = Field(ge=1)
    kind: Literal["nhs_trust", "other"]
    controller: Controller
    lawful_basis: LawfulBasis
    term: Term
    review: Review
    deidentified_by: Literal["partner", "workspace"]
    key_ids: dict[str, str] = {}
    consent: Consent | None = None
    submission: Submission
    tables: dict[Literal["persons", "contacts", "outcomes"], Table]

    @model_validator(mode="after")
    def _keeps_the_notice(self) -> Self:
        faults = _nhs(self) if self.kind == "nhs_trust" else _other(self)
        faults += [
            f"tables.{n}: {c.what} stands twice" for n, t in self.tables.items() for c in _twice(t)
        ]
        if "persons" not in self.tables or self.tables["persons"].column("reference") is None:
            faults.append("tables.persons: needs a reference")
        if faults:
            raise ValueError("; ".join(faults))
        return self


def _twice(table: Table) -> list[Column]:
    seen = [c.what for c in table.columns]
    return [c for i, c in enumerate(table.columns) if c.what in seen[:i]]


def _nhs(told: Agreement) -> list[str]:
    basis = (told.lawful_basis.article_6, told.lawful_basis.article_9)
    faults = (
        []
        if basis == ("6(1)(e)", "9(2)(h)")
        else ["lawful_basis: an NHS trust needs 6(1)(e) with 9(2)(h)"]
    )
    if told.deidentified_by != "partner" or not told.submission.signed:
        faults.append("deidentified_by: an NHS trust de-identifies before sharing, and signs")
    if told.consent is not None:
        faults.append("consent: an NHS trust shares without it; take the block out")
    return faults


def _other(told: Agreement) -> list[str]:
    special = any(c.what in SPECIAL for t in told.tables.values() for c in t.columns)
    faults = (
        []
        if told.lawful_basis.article_6 == "6(1)(a)"
        else ["lawful_basis: a service shares by 6(1)(a), consent"]
    )
    if special and told.lawful_basis.article_9 != "9(2)(a)":
        faults.append("lawful_basis: special categories need 9(2)(a) besides consent")
    if told.consent is None:
        return [*faults, "consent: is missing; name the wording and the words for yes"]
    if banned := sorted(NO_OPT_IN & {y.casefold().strip() for y in told.consent.yes}):
        faults.append(f"consent.yes: {banned[0] or 'blank'!r} is no positive opt-in")
    return faults


def in_force(told: Agreement, as_at: date) -> str | None:
    """Return why the agreement does not hold on a day, or None where it does."""
    place = f"agreements/{told.partner}.yaml"
    if as_at < told.term.starts:
        return f"{place} starts {told.term.starts}; wait, or agree an earlier start"
    if as_at > told.term.ends:
        return f"{place} ended {told.term.ends}; renew the agreement"
    if as_at > (due := review_due(told)):
        return f"{place} was due for review on {due}; review it and set review.last"
    return None


def review_due(told: Agreement) -> date:
    """Return the last day on which the agreement counts as reviewed."""
    months = told.review.last.year * 12 + told.review.last.month - 1 + told.review.every_months
    day = min(told.review.last.day, 28)
    return date(months // 12, months % 12 + 1, day)


def file_pattern(source: str) -> re.Pattern[str]:
    """Return the shape of a file name with a `{period}` in it."""
    return re.compile(re.escape(source).replace(r"\{period\}", r"(?P<period>\d{4}Q[1-4])"))
