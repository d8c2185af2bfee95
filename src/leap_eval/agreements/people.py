"""people.yaml: who may do what, approved by whom, until when."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

from pydantic import Field

from leap_eval.agreements.agreement import Terms
from leap_eval.errors import StateError

Role = Literal["analyst", "administrator", "intake", "rights", "approver", "specialist"]


class Person(Terms):
    """One person with access."""

    id: str
    os_user: str
    roles: tuple[Role, ...]
    approved_by: str
    starts: date = Field(alias="from")
    ends: date = Field(alias="to")
    trained_on: date
    projects: tuple[str, ...] = ()


class People(Terms):
    """All of people.yaml."""

    people: tuple[Person, ...]

    def acting(self, os_user: str, role: Role, as_at: date, state: str) -> Person:
        """Return the person at the machine if they may act in this role today."""
        for person in self.people:
            named = person.os_user == os_user or (state == "demo" and person.os_user == "*")
            if named and role in person.roles and not _lapsed(person, as_at):
                return person
        raise StateError(f"people.yaml: nobody here may act as {role} today; ask an administrator")

    def named(self, name: str, role: Role, as_at: date) -> Person:
        """Return the person of this id if they may act in this role today."""
        for person in self.people:
            if person.id == name and role in person.roles and not _lapsed(person, as_at):
                return person
        raise StateError(f"people.yaml: {name} may not act as {role} today; ask an administrator")


def _lapsed(person: Person, as_at: date) -> bool:
    untrained = as_at > person.trained_on + timedelta(days=366)
    return as_at < person.starts or as_at > person.ends or untrained


def faults(people: People, limit: int) -> list[str]:
    """Return the rules people.yaml breaks."""
    found = [f"{p.id}: nobody approves themselves" for p in people.people if p.approved_by == p.id]
    found += [
        f"{p.id}: to must lie within 12 months of from" for p in people.people if _days(p) > 366
    ]
    if len(people.people) > limit:
        found.append(
            f"{len(people.people)} people where programme.yaml allows {limit}; end an access"
        )
    return found


def _days(person: Person) -> int:
    return (person.ends - person.starts).days
