"""A small world with known effects, in the contracts of stages 03 and 04."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from leap_eval.settings import Plan, parse_plan

SERVICES = tuple(f"service_{c}" for c in "abcdefgh")
MAIN = np.array([0.06, 0.05, 0.16, 0.14, 0.08, 0.10, 0.0, 0.0])
NOISE, SIBLINGS = 0.9, 0.3  # SD of the outcome, and the share of its variance in a family
LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True)
class World:
    """Tables as the stages hand them on, and the mean outcome of every child under any services."""

    plan: Plan
    cohort: pd.DataFrame
    exposure: pd.DataFrame
    outcome: pd.DataFrame
    background: dict[str, np.ndarray]
    started: np.ndarray
    chance: np.ndarray  # of starting each service given background and services before it
    coefficients: dict[str, np.ndarray | float]

    def mean(self, on: np.ndarray) -> float:
        """The mean outcome over all children if they started `on` (8,) or each its own (n, 8)."""
        return float(
            surface(
                self.background, np.broadcast_to(on, self.started.shape), self.coefficients
            ).mean()
        )

    def combination(self, services: tuple[str, ...]) -> float:
        """The true effect of starting exactly these services against none."""
        on = np.array([s in services for s in SERVICES])
        return self.mean(on) - self.mean(np.zeros(8, bool))

    def synergy(self, a: str, b: str) -> float:
        """The true synergy of a pair, all other services as they happened."""
        places = [SERVICES.index(a), SERVICES.index(b)]
        told = 0.0
        for yes_a, yes_b, sign in ((1, 1, 1), (1, 0, -1), (0, 1, -1), (0, 0, 1)):
            on = self.started.copy()
            on[:, places] = [yes_a, yes_b]
            told += sign * self.mean(on)
        return told

    def service(self, service: str) -> float:
        """The true effect of one service, all others as they happened."""
        on, off = self.started.copy(), self.started.copy()
        on[:, SERVICES.index(service)], off[:, SERVICES.index(service)] = True, False
        return self.mean(on) - self.mean(off)

    def noise(self, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The weighted means of the noise, (C,), and their covariance; rows by study_id."""
        order = np.argsort(self.cohort["study_id"].to_numpy(str), kind="stable")
        y = self.outcome.set_index("study_id")["value"].reindex(self.cohort["study_id"])
        noise = y.to_numpy() - surface(self.background, self.started, self.coefficients)
        families = pd.DataFrame(weight).groupby(self.cohort["family_id"].to_numpy()[order]).sum()
        alone, together = weight.T @ weight, families.T.to_numpy() @ families.to_numpy()
        spread = NOISE**2 * ((1 - SIBLINGS) * alone + SIBLINGS * together)
        return np.nan_to_num(noise[order]) @ weight / len(y), spread / len(y) ** 2

    def bound(self, services: tuple[str, ...]) -> float:
        """The least standard error of a service or a synergy, whatever the estimator.

        Hahn 1998, at the drawn children: effects that differ between them add nothing.
        """
        e = self.chance[:, [SERVICES.index(s) for s in services]]
        return float(NOISE * np.sqrt((1 / (e * (1 - e))).prod(axis=1).mean() / len(e)))


def identity(kind: str, numbers: np.ndarray) -> np.ndarray:
    """Pseudonyms of the right shape, in the order of the numbers."""

    def word(n: int) -> str:
        return "".join(LETTERS[(n >> (5 * i)) & 31] for i in reversed(range(28)))

    return np.array([f"{kind}1_{word(int(n))}" for n in numbers])


def small_plan(minimum: int = 150, scan: bool = True) -> Plan:
    """A plan of one trial with all eight services in play."""
    sources = {
        "deprivation": "imd_decile",
        "need": "need_level",
        "birthweight": "birthweight_g",
        "parity": "parity",
    }
    covariates: dict[str, object] = {
        n: {"from": s, "dated": "fixed", "block": n} for n, s in sources.items()
    }
    covariates["eal"] = {
        "from": "home_language",
        "equals": "other",
        "dated": "fixed",
        "block": "language",
    }
    return parse_plan(
        {
            "question": "which services go with better scores",
            "months": {"grace": 6, "grace_sensitivity": [6], "dose": 9},
            "trials": {"m12": {"time_zero": 12, "in_play": list(SERVICES)}},
            "covariates": covariates,
            "arms": {"minimum": minimum, "most": 12, "named": [[SERVICES[2], SERVICES[3]]]},
            "pairs": {"named": [[SERVICES[2], SERVICES[3]]], "scan": scan},
            "subgroups": ["sex"],
            "outcomes": {
                "score": {
                    "instrument": "test",
                    "item": "score",
                    "trial": "m12",
                    "age": [24, 33],
                    "better": "higher",
                    "scale": "points",
                    "fdr_share": 1.0,
                    "small": 0.1,
                }
            },
            "controls": {"outcomes": ["gestation_weeks"]},
        }
    )


def surface(
    x: dict[str, np.ndarray], on: np.ndarray, b: dict[str, np.ndarray | float]
) -> np.ndarray:
    """Mean outcome of every child: curved baseline, effects, one synergy, one substitution."""
    base = (
        -0.3 * x["dep"]
        - 0.2 * x["need"]
        - 0.25 * x["eal"]
        + 0.1 * x["bw"]
        + 0.1 * x["dep"] ** 2 * 0.5
        + 0.08 * x["bw"] * x["dep"]
    )
    gain = on @ b["main"] * (1 + 0.5 * 0.1 * x["dep"])
    if "rare" in b:
        (one, two), more = b["rare"]
        gain = gain + more * on[:, one] * on[:, two]
    return (
        base + gain + b["synergy"] * on[:, 2] * on[:, 3] + b["substitution"] * on[:, 0] * on[:, 1]
    )


def draw(
    seed: int,
    children: int = 15_000,
    effects: float = 1.0,
    missing: float = 0.0,
    unrecorded: float = 0.0,
    adversarial: bool = False,
) -> World:
    """Draw one world; `effects` 0 makes every effect null.

    Adversarial: a strong synergy of the two rarest services, which few children start together.
    """
    rng = np.random.default_rng([2015, seed])
    family = np.sort(rng.integers(0, int(children / 1.18), children))
    ward_dep = rng.normal(0, 0.8, 24)
    ward = rng.integers(0, 24, children)
    shared = rng.normal(size=children)[family]
    x = {
        "dep": (ward_dep[ward] + rng.normal(0, 0.6, children)).round(2),
        "bw": rng.normal(size=children).round(2),
    }
    x["eal"] = (rng.random(children) < 0.3).astype(float)
    x["need"] = rng.binomial(2, 1 / (1 + np.exp(1.2 - 0.5 * x["dep"]))).astype(float)
    first = (rng.random(children) < 0.45).astype(float)
    shares, jitter = np.linspace(0.10, 0.30, 8)[rng.permutation(8)], rng.uniform(0.7, 1.3, 10)
    started, chance = _uptake(rng, x, first, ward, shares)
    b = {
        "main": effects * MAIN * jitter[:8],
        "synergy": effects * 0.15 * jitter[8],
        "substitution": effects * -0.04 * jitter[9],
    }
    noise = NOISE * (np.sqrt(SIBLINGS) * shared + np.sqrt(1 - SIBLINGS) * rng.normal(size=children))
    if adversarial:
        b["rare"] = (tuple(int(s) for s in np.argsort(shares)[:2]), 0.30)
    y = surface(x, started, b) + noise
    seen = rng.random(children) < (1 - unrecorded) * (1 - 0.1 * unrecorded * x["need"])
    told = {
        "deprivation": x["dep"], "need": x["need"], "birthweight": x["bw"], "parity": first,
        "eal": x["eal"],
    }  # fmt: skip
    if missing:
        told["need"] = np.where(rng.random(children) < missing, np.nan, x["need"])
    cohort = _cohort(rng, identity("fid", family), ward, told)
    exposure, ids = _exposure(rng, started), cohort["study_id"].to_numpy()
    outcome = pd.DataFrame({"study_id": ids[seen], "value": y[seen]})
    plan = small_plan(150 if children >= 10_000 else 60, scan=children >= 10_000)
    return World(plan, cohort, exposure, outcome, x, started, chance, b)


def _uptake(
    rng: np.random.Generator, x: dict[str, np.ndarray], first: np.ndarray, ward: np.ndarray,
    shares: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Which services each child starts, and the chance that background gives of it."""
    started, chance = np.zeros((len(ward), 8), bool), np.zeros((len(ward), 8))
    for s in range(8):
        pull = rng.uniform(-0.3, 0.4, 4)
        score = (
            np.log(shares[s] / (1 - shares[s]))
            + pull[0] * x["dep"]
            + pull[1] * x["need"]
            + pull[2] * x["eal"]
        )
        score += pull[3] * first + (0.35 * started[:, 0] if s else 0)
        chance[:, s] = 1 / (1 + np.exp(-score))
        score += rng.normal(0, 0.25, 24)[ward]  # of the ward, which no covariate tells
        started[:, s] = rng.random(len(ward)) < 1 / (1 + np.exp(-score))
    return started, chance


def _cohort(
    rng: np.random.Generator, families: np.ndarray, ward: np.ndarray, told: dict[str, np.ndarray]
) -> pd.DataFrame:
    """The children as stage 03 hands them on: `told` is their background."""
    children = len(ward)
    return pd.DataFrame(
        {
            "study_id": identity("sid", np.arange(children)),
            "family_id": families,
            "draw": 0,
            "present": True,
            "birth_month": pd.Timestamp("2018-01-01").date(),
            "ward": [f"ward_{w}" for w in ward],
            "left_month": None,
            "partners": 2,
            "imd_third": "not_known",
            "ethnicity_group5": "not_known",
            "home_language": "not_known",
            "disability": "not_known",
            "sex": np.where(rng.random(children) < 0.5, "f", "m"),
            "link_weight": 1.0,
            "m12_time_zero": date(2019, 1, 1),
            "m12_eligible": True,
            "m12_reason": "eligible",
            **{f"m12_x_{n}": v for n, v in told.items()},
            "m12_nc_gestation_weeks": (
                39
                + 0.5 * told["birthweight"]
                - 0.2 * told["deprivation"]
                + rng.normal(0, 1.2, children)
            ).round(1),
        }
    )


def _exposure(rng: np.random.Generator, started: np.ndarray) -> pd.DataFrame:
    """What they started, as stage 04 hands it on."""
    children = len(started)
    words = np.array(
        [
            " + ".join(s for s, yes in zip(SERVICES, row, strict=True) if yes) or "none"
            for row in started
        ]
    )
    exposure = pd.DataFrame(
        {
            "study_id": identity("sid", np.arange(children)),
            "draw": 0,
            "m12_new_user": True,
            "m12_g6_combination": words,
        }
    )
    children_dose = rng.poisson(5.0, children)
    for place, service in enumerate(SERVICES):
        months = pd.Series(np.where(started[:, place], 13.0, np.nan))
        exposure[f"start_{service}"] = months.astype("Int64")
        exposure[f"m12_offered_{service}"] = True
        exposure[f"m12_dose_{service}"] = np.where(started[:, place], 1 + children_dose, 0)
    return exposure


def with_uncertain_links(
    world: World, share: float = 0.05, wrong: float = 0.3, draws: int = 20, seed: int = 1
) -> World:
    """Make the results of `share` of the children doubtful: two by two they may be exchanged.

    In truth they are with probability `wrong`; the best links say never, a draw says so as
    often as the truth does. Only children of exchanged pairs stand in a draw.
    """
    rng = np.random.default_rng([seed, 5])
    of = world.outcome.set_index("study_id")["value"].reindex(world.cohort["study_id"]).to_numpy()
    pairs = rng.permutation(len(of))[: 2 * int(share * len(of) / 2)].reshape(-1, 2)

    def exchanged() -> tuple[np.ndarray, np.ndarray]:
        turned = pairs[rng.random(len(pairs)) < wrong]
        told = of.copy()
        told[turned] = told[turned[:, ::-1]]
        return told, np.sort(turned.ravel())

    # What is recorded follows the truth, which the best links miss where pairs are exchanged.
    of = exchanged()[0]
    tables = [(world.cohort, world.exposure, of)]
    for number in range(1, draws + 1):
        told, rows = exchanged()
        parts = (t.iloc[rows].assign(draw=number) for t in (world.cohort, world.exposure))
        tables.append((*parts, told[rows]))
    results = [c[["study_id", "draw"]].assign(value=y) for c, _, y in tables]
    cohort = pd.concat([c for c, _, _ in tables], ignore_index=True)
    exposure = pd.concat([e for _, e, _ in tables], ignore_index=True)
    outcome = pd.concat(results, ignore_index=True)
    return replace(world, cohort=cohort, exposure=exposure, outcome=outcome)
