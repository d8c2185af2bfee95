"""What is planted: every coefficient, rate and effect, read from scenarios/*.yaml."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from leap_eval.errors import SettingsError

HOME = resources.files("leap_eval.synthetic") / "scenarios"


class Strict(BaseModel):
    """A block that refuses a word it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ServiceTruth(Strict):
    """How children come to a service, and how much of it they get."""

    partner: str
    kind: str  # group, one_to_one, event, term
    family: bool
    months: tuple[int, int]
    open: tuple[int, int]  # April of the first year to March of the second
    target: int
    dose: tuple[float, int]  # mean, cap
    gap: int  # days between contacts
    slopes: tuple[float, float, float, float, float]  # area z, level, EAL, first child, engagement


class Planted(Strict):
    """All of one scenario."""

    name: str
    services: dict[str, ServiceTruth]
    theta: dict[str, float]
    referral: list[tuple[str, str, float]]
    concern: dict[str, float]
    review: dict[str, float]  # what is handed out at the reviews: hazard in their months
    outside: tuple[float, float]  # hazards beyond the LEAP wards, against within: services, events
    events_only: tuple[float, float]  # logs, for families who come to events only
    effects: dict[str, dict[str, float]]
    pairs: dict[str, dict[str, float]]
    language: tuple[str, ...]
    threshold: tuple[str, ...]
    linear: dict[str, float]
    dirt: dict[str, float]
    hidden: dict[str, float] = {}  # log hazard of a service, by development nobody records
    # Monthly log hazard of leaving: level, deprivation, development.
    leaving: tuple[float, float, float] | None = None
    recorded_by_score: tuple[float, float] | None = None  # logit: level, latent score
    served: dict[str, float] = {}  # logit of being recorded, added where the service began before
    hole: dict[str, int] = {}  # a service only, and nearly always, up to this deprivation decile


def scenarios() -> list[str]:
    """Return the scenarios that exist."""
    return sorted(
        f.name[:-5] for f in HOME.iterdir() if f.name.endswith(".yaml") and f.name != "theta.yaml"
    )


@lru_cache(maxsize=8)
def planted(scenario: str) -> Planted:
    """Return a scenario: demo.yaml, overlaid by its own file."""
    if scenario not in scenarios():
        raise SettingsError(
            f"--scenario: {scenario} does not exist; there are {', '.join(scenarios())}"
        )
    told: dict[str, Any] = {**_read("demo"), "theta": _read("theta")}
    if scenario != "demo":
        told |= _read(scenario)
    return Planted(**{**told, "name": scenario})


def _read(name: str) -> dict[str, Any]:
    found = yaml.safe_load((HOME / f"{name}.yaml").read_text(encoding="utf-8"))
    return dict(found or {})
