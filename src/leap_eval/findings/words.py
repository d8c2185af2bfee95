"""Numbers and codes as a reader meets them: one number, one form, everywhere on every page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from leap_eval.errors import PageError
from leap_eval.findings.release import Output, Row
from leap_eval.reference.labels import labels
from leap_eval.reference.page import page
from leap_eval.reference.wording import wording

WITHHELD, MISSING = "c", "x"
JOIN = " + "
SHARES = {"share", "completeness", "no_consent_share", "recall", "precision", "linked_elsewhere"}
SIGNED = {"estimate", "pointwise"}
SIZES = SIGNED | {"mde80"}
TWO = {"smd_before", "smd_after", "q", "p", "evalue"}


def say(key: str, **slots: str) -> str:
    """Fill a sentence that a page says of itself."""
    template = page()["says"].get(key)
    if template is None:
        raise PageError("reference/page.yaml: lacks a sentence that the page needs; add its key")
    return str(template.format(**slots))


def capital(text: str) -> str:
    """Begin with a capital."""
    return text[:1].upper() + text[1:]


def listed(names: Sequence[str]) -> str:
    """Join names as people do."""
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1]


def label(kind: str, code: str) -> str:
    """Return the plain words of a code; a code without words keeps its letters."""
    told = labels().get(kind, {})
    if code in told:
        return str(told[code])
    if code in labels()["all_together"]:
        return str(labels()["all_together"][code])
    return "".join(c for c in code.replace("_", " ") if not c.isdigit()).strip() or "other"


def services(code: str) -> str:
    """Name services joined by ` + ` in words."""
    return listed([label("service", part) for part in code.split(JOIN)])


def contrast(code: str) -> str:
    """Name what is compared: services, an amount of one, or how many."""
    service, bin = amount(code)
    if not bin:
        return services(code)
    key = "trend" if bin == "trend" else "some"
    if not service:
        return say(f"{key}_breadth", bin=bin)
    return say(f"{key}_dose", service=label("service", service), bin=bin)


def amount(code: str) -> tuple[str, str]:
    """Part `SERVICE:BIN` or `breadth:BIN` into service, if one is named, and bin in words."""
    head, _, bin = code.rpartition(":")
    if bin.endswith("+"):
        bin = say("bin_open", n=bin[:-1])
    elif "-" in bin:
        low, high = bin.split("-", 1)
        bin = say("bin", n=low, m=high)
    return ("" if head == "breadth" else head), (bin if head else "")


def subgroup(code: str) -> str:
    """Name a subgroup."""
    if code == "all":
        return label("subgroup", "all")
    kind, _, value = code.partition(":")
    return label(kind, value)


def dimension(name: str, code: str, row: Mapping[str, str] = {}) -> str:
    """Name a code of a dimension."""
    if name in ("contrast", "combination", "arm"):
        family, _, rest = code.rpartition(": ")
        named = contrast(rest)
        return say("under", first=label("family", family), second=named) if family else named
    if name == "covariate":
        return covariate(code)
    if name == "subgroup":
        return subgroup(code)
    if name == "step":
        return step(code)
    if name == "group":
        return label(row.get("dimension", ""), code)
    if name == "dimension":
        return label("dimension", code)
    return label({"code": "verdict"}.get(name, name), code)


def covariate(code: str) -> str:
    """Name what is known of a child."""
    if code in labels()["covariate"]:
        return label("covariate", code)
    if code.startswith("used_"):
        return say("used_before", service=label("service", code.removeprefix("used_")))
    return say("missing_item", covariate=label("covariate", code.removesuffix("_missing")))


def step(code: str) -> str:
    """Name a step of the flow, or the reason why children left it."""
    if code in labels()["step"]:
        return str(labels()["step"][code])
    return say("not_studied", reason=label("reason", code.partition("_")[2]))


def number(text: str, measure: str, unit: str = "") -> str:
    """Show one released number."""
    value = float(text)
    if measure in SHARES:
        return (
            f"{value * 100:.1f}%" if measure in ("recall", "precision") else f"{value * 100:.0f}%"
        )
    if measure == "floored_share":
        return f"{value * 100:.1f}%"
    if measure in SIZES:
        return effect(value, unit, signed=measure in SIGNED)
    if measure == "mean":
        return f"{value:.1f}"
    if measure in TWO:
        return _minus(f"{value:z.2f}")
    return f"{value:,.0f}"


def effect(value: float, unit: str, *, signed: bool = True) -> str:
    """Show a size in its unit: two digits of a standard deviation, one of a point."""
    scaled, digits = scale(value, unit), 2 if unit == "sd" else 1
    plain = f"{abs(scaled):.{digits}f}"
    if not signed or float(plain) == 0:
        return plain
    return f"{'+' if scaled > 0 else '−'}{plain}"


def scale(value: float, unit: str) -> float:
    """Return a risk in percentage points, anything else as it is."""
    return value * 100 if unit == "risk" else value


MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip


def day(text: str) -> str:
    """Show a date as people say it."""
    year, month, date = text.split("-")
    return f"{int(date)} {MONTHS[int(month) - 1]} {year}"


def _minus(text: str) -> str:
    return text.replace("-", "−")


def shown(row: Row, column: str = "value") -> str:
    """Show a cell: the number, `c` where it is withheld, `x` where there is none."""
    if row["marker"] == "c":
        return WITHHELD
    if row[column] == "":
        return MISSING if column == "value" else ""
    return number(row[column], row["measure"], row.get("unit", ""))


def sentence(row: Row, n: str) -> str:
    """Fill the sentence of wording.yaml that stage 06 chose for this row."""
    key = row["wording_key"] if row["value"] else f"{row['family']}_d"
    template = wording().get(key)
    if template is None:
        raise PageError("reference/wording.yaml: no sentence under a released key; add the key")
    unit = row["unit"]
    values = {"estimate": "", "low": "", "high": ""}
    if row["value"]:
        values = {
            "estimate": effect(float(row["value"]), unit, signed=False),
            "low": effect(float(row["low"]), unit) if row["low"] else MISSING,
            "high": effect(float(row["high"]), unit) if row["high"] else MISSING,
        }
    return template.format(
        services=contrast(row["contrast"]),
        outcome=label("outcome", row["outcome"]),
        unit=label("unit", unit),
        n=n,
        **values,
    )


def extremes(rows: Iterable[Row], key: str) -> tuple[Row, Row] | None:
    """Return the rows with the least and the greatest shown value."""
    told = [r for r in rows if r["value"]]
    if not told:
        return None
    ordered = sorted(told, key=lambda r: (float(r["value"]), r[key]))
    return ordered[0], ordered[-1]


def alt(what: str, rows: Iterable[Row], key: str) -> str:
    """Say what a figure shows: range, the names at its ends, whether some are withheld."""
    rows = tuple(rows)
    ends = extremes(rows, key)
    if ends is None:
        return say("nothing_shown", what=what)
    low, high = (dimension(key, r[key], r) for r in ends)
    first, last = (shown(r) for r in ends)
    told = say("least_most", what=what, first=low, n=first, second=high, m=last)
    if low == high:
        told = say("only_one", what=what, first=low, n=first)
    if any(r["marker"] == "c" for r in rows):
        told += " " + say("some_withheld")
    return told


def why_withheld(output: Output) -> str:
    """Say how many cells are missing from a table, without saying which came first."""
    if not output.withheld:
        return say("withheld_none")
    return say("withheld_some", n=f"{output.withheld:,}", m=f"{len(output.rows):,}")
