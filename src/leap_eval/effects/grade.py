"""The grade of an estimate: a pure function of its evidence, the first rule that holds."""

from __future__ import annotations

from dataclasses import dataclass

from scipy.stats import norm

from leap_eval.settings.plan import Status

WIDE = float(norm.ppf(0.95))
SUPPORTING = ("dose", "breadth")
SCANNED = "pair_scan"  # nearly all nulls: at q .10 one outcome in ten would name one of them
LEAST_ESS, LEAST_RECORDED, SAME_SIGN = 100.0, 0.50, 0.80


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a grade rests on."""

    status: Status
    estimate: float
    se: float
    crit: float
    small: float
    q: float
    budget: float
    ess: float
    recorded: float
    same_sign: float
    alone: bool  # its own 95 % interval leaves out 0
    checks: tuple[str, ...]  # 1..12: pass, warn, fail, not_run
    family: str = "combination"

    def check(self, number: int) -> str:
        """Return the verdict of one check."""
        return self.checks[number - 1]

    def excludes_zero(self, width: float) -> bool:
        """Tell whether estimate ± width standard errors leaves out 0."""
        return abs(self.estimate) > width * self.se

    @property
    def discovered(self) -> bool:
        """Tell whether it stands out among all that was asked; of a scan, by the joint band."""
        enough = self.excludes_zero(self.crit) if self.family == SCANNED else self.alone
        return enough and self.q <= self.budget


@dataclass(frozen=True, slots=True)
class Grade:
    """A grade, and why it is not better."""

    letter: str
    reason: str


def grade(row: Evidence) -> Grade:
    """Grade one contrast: D, N, A, B, C in the order of the rules, D where none holds."""
    if barred := _barred(row):
        return Grade("D", barred)
    if abs(row.estimate) + row.crit * row.se <= row.small and _all_pass(row, (1, 2, 3)):
        return Grade("N", "difference smaller than what matters")
    if row.excludes_zero(row.crit) and _all_pass(row, (1, 2, 3, 4, 5, 6, 9, 10)):
        return _capped(row, Grade("A", ""))
    if row.discovered and _fair(row):
        return _capped(row, Grade("B", _short_of_a(row)))
    if row.excludes_zero(WIDE) and row.same_sign >= SAME_SIGN:
        return Grade("C", _short_of_b(row))
    return Grade("D", "interval too wide to tell")


def _barred(row: Evidence) -> str:
    reasons = (
        (row.check(1) == "fail", "arms not comparable"),
        (row.check(2) == "fail", "too little overlap"),
        (row.ess < LEAST_ESS, "too few comparable children"),
        (row.recorded < LEAST_RECORDED, "result recorded for fewer than half"),
    )
    return next((words for barred, words in reasons if barred), "")


def _all_pass(row: Evidence, numbers: tuple[int, ...]) -> bool:
    return all(row.check(n) == "pass" for n in numbers)


def _fair(row: Evidence) -> bool:
    # A negative control that moves says that something unseen moves the result as well.
    told = [row.check(n) for n in (1, 2, 3, 4)]
    moved = row.check(5) == "fail"
    return not moved and not {"fail", "not_run"} & set(told) and told.count("warn") <= 1


def _capped(row: Evidence, best: Grade) -> Grade:
    if row.status == "exploratory":
        return Grade("C", "question was not in the frozen plan")
    if row.family in SUPPORTING and best.letter == "A":
        return Grade("B", "amounts are read beside the comparison of services")
    if row.status == "amended" and best.letter == "A":
        return Grade("B", "plan was frozen after outcomes were opened")
    return best


def _short_of_a(row: Evidence) -> str:
    if not row.excludes_zero(row.crit):
        return "joint band holds 0"
    return "check " + ", ".join(
        f"{n} {row.check(n)}" for n in (1, 2, 3, 4, 5, 6, 9, 10) if row.check(n) != "pass"
    )


def _short_of_b(row: Evidence) -> str:
    if not row.alone:
        return "95 interval holds 0"
    if not row.discovered:
        return "could be a false discovery among many"
    return "check " + ", ".join(
        f"{n} {row.check(n)}" for n in (1, 2, 3, 4, 5) if row.check(n) != "pass"
    )
