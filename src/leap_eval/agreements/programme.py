"""programme.yaml: what the programme is and which state it is in."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import Field

from leap_eval.agreements.agreement import PARTNER, Terms


class Notice(Terms):
    """The privacy notice in force."""

    url: str
    version: str
    nhs_basis_label: str


class Retention(Terms):
    """How long rows may be kept."""

    years: int = Field(le=25)
    closing_days: int = 180


class Purpose(Terms):
    """What data may be used for, and until when."""

    id: str
    text: str
    until: date


class Service(Terms):
    """One service of the programme."""

    id: str = Field(pattern=PARTNER)
    name: str
    strand: Literal["social_emotional", "communication_language", "diet_nutrition"]
    partner: str = Field(pattern=PARTNER)
    recipient: Literal["child", "adult", "family"] = Field(alias="for")
    reach: Literal["targeted", "universal"]
    setting: str
    months: tuple[int, int]
    starts: date = Field(alias="from")
    ends: date | None = Field(alias="to", default=None)


class Degrade(Terms):
    """How far content is coarsened on receipt."""

    birth: Literal["month", "quarter", "year"] = "month"
    area: Literal["lsoa", "ward", "sector"] = "lsoa"
    ethnicity: Literal["code", "group5"] = "code"


class Geography(Terms):
    """The operator's lookup files; null where there is none."""

    lookup: str | None = None
    deprivation: str | None = None


class Programme(Terms):
    """All of programme.yaml."""

    state: Literal["demo", "live", "closed", "legacy"]
    contact: str
    starts: date
    ends: date
    as_at: date | None = None
    notice: Notice
    retention: Retention
    purposes: tuple[Purpose, ...]
    services: tuple[Service, ...]
    degrade: Degrade = Degrade()
    geography: Geography = Geography()
    people_limit: int = 12

    def today(self, wall: date) -> date:
        """Return the clock of the intake: the programme's own in a demo, else the wall's."""
        return self.as_at if self.state == "demo" and self.as_at else wall

    def service(self, name: str) -> Service | None:
        """Return the service of this id."""
        return next((s for s in self.services if s.id == name), None)

    def services_by_partner(self) -> dict[str, tuple[str, ...]]:
        """Return each partner's own services: what it knows of children without any page."""
        partners = sorted({s.partner for s in self.services})
        return {p: tuple(s.id for s in self.services if s.partner == p) for p in partners}
