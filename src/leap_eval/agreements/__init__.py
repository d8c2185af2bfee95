"""The terms: what the programme is, who may act, and what each partner may share."""

from leap_eval.agreements.agreement import Agreement, Column, Table
from leap_eval.agreements.loading import (
    load_agreement,
    load_agreements,
    load_people,
    load_programme,
)
from leap_eval.agreements.people import People, Person
from leap_eval.agreements.programme import Programme, Service

__all__ = [
    "Agreement",
    "Column",
    "People",
    "Person",
    "Programme",
    "Service",
    "Table",
    "load_agreement",
    "load_agreements",
    "load_people",
    "load_programme",
]
