"""disclosure.yaml: the risk appetite, in one place; a key may only be stricter than its preset."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from leap_eval.errors import DisclosureError
from leap_eval.settings.params import read_yaml

Least = int | Literal["threshold"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Units(_Part):
    """Fewer distinct families or partners than these make a cell sensitive, too."""

    families: int = Field(default=3, ge=1)
    partners: int = Field(default=1, ge=1)


class Protect(_Part):
    """What an attacker's interval must reach, and how wide it must be."""

    upper: Least = "threshold"
    width: Least = "threshold"


class Rounding(_Part):
    """Counts shown rounded: to the nearest base, or to the middle of its bins."""

    base: int = Field(ge=2)
    midpoint: bool = False
    hide: tuple[int, int] | None = None


class AttackerRules(_Part):
    """What the attacker knows besides the pages."""

    integer: Literal[True] = True
    known_zeros: Literal[True] = True
    marker_nonzero: Literal[True] = True
    own_records: Literal[1] = 1
    collude: Literal[True] = True
    insiders: Literal["partners"] = "partners"
    change: Literal["known"] = "known"


class ClassDisclosure(_Part):
    """Where all or none of a group is itself a disclosure."""

    dimensions: tuple[str, ...] = ("outcome", "disability")
    services: tuple[str, ...] = ("dv_groups",)
    low: float = Field(default=0.0, ge=0, lt=0.5)
    high: float = Field(default=1.0, le=1, gt=0.5)


class Dominance(_Part):
    """When a sum leans on few children: the p % rule and the (n, k) rule."""

    p: float = Field(default=10, gt=0, le=100)
    n: Literal[2] = 2
    k: float = Field(default=90, gt=0, le=100)


class Summaries(_Part):
    """Ratios and sums; percentiles and curves are of no kind that can be declared."""

    ratio_decimals: int = Field(default=1, ge=0, le=1)
    percentile_each_side: Literal["threshold"] = "threshold"
    extremes: Literal["never"] = "never"
    events_per_step: Literal["threshold"] = "threshold"
    dominance: Dominance = Dominance()


class Models(_Part):
    """When a model's output may leave."""

    min_df: int = Field(default=10, ge=1)
    min_n: Least = "threshold"
    min_level: Least = "threshold"
    min_events: Least = "threshold"
    digits: int = Field(default=2, ge=1, le=2)
    saturated: Literal["audit", "never"] = "audit"
    n_gap: Least = "threshold"


class Plots(_Part):
    """Figures are drawn from released tables only."""

    source: Literal["tables"] = Field(default="tables", alias="from")
    min_bin: Literal["threshold"] = "threshold"
    points: Literal["never"] = "never"
    limits: Literal["declared"] = "declared"


class Weights(_Part):
    """What withholding a cell costs; nodes that are never withheld."""

    cell: Literal["one", "log", "count"] = "one"
    margin: float = Field(default=1.0, ge=0.1, le=100)
    always_show: tuple[str, ...] = ("total",)


class Markers(_Part):
    """One marker for primary and secondary alike: a second one would tell which is which."""

    withheld: Literal["c"] = "c"
    not_applicable: Literal["z"] = "z"
    not_available: Literal["x"] = "x"


class ExactCells(_Part):
    """Up to how many cells the best pattern is sought; above, one near the bound will do."""

    flat: int = Field(default=2000, ge=0)
    deep: int = Field(default=500, ge=0)


class Effort(_Part):
    """How long to search: counted, never timed. Wall time only aborts."""

    lp_rounds: int = Field(default=60, ge=1, le=500)
    mip_rounds: int = Field(default=30, ge=0, le=500)
    mip_nodes: int = Field(default=200_000, ge=0)
    exact_cells: ExactCells = ExactCells()
    boxes: int = Field(default=2000, ge=0)
    abort_after_s: int = Field(default=3600, ge=1)


class Review(_Part):
    """When a person must look, and what the machine does where rules cannot be met."""

    withheld_share: float = Field(default=0.5, ge=0, le=1)
    gap: float = Field(default=0.10, ge=0, le=1)
    on_conflict: Literal["withhold", "stop"] = "withhold"


class Budget(_Part):
    """How much may leave under one name: no room to carry rows out."""

    outputs: int = Field(default=60, ge=1)
    cells: int = Field(default=20_000, ge=1)
    bytes: int = Field(default=4_194_304, ge=1)
    title_characters: int = Field(default=120, ge=1)


class Stricter(_Part):
    """What one partner asks for beyond the rest."""

    threshold: int | None = Field(default=None, ge=2)
    families: int | None = Field(default=None, ge=1)
    min_n: int | None = Field(default=None, ge=1)


class Rules(_Part):
    """All of disclosure.yaml."""

    preset: Literal["exact", "srs", "hes", "ten_five", "opensafely", "midpoint6"] = "exact"
    threshold: int = Field(default=10, ge=2)
    units: Units = Units()
    zero: Literal["show", "hide"] = "show"
    protect: Protect = Protect()
    attacker: AttackerRules = AttackerRules()
    rounding: Rounding | None = None
    class_disclosure: ClassDisclosure = ClassDisclosure()
    summaries: Summaries = Summaries()
    models: Models = Models()
    plots: Plots = Plots()
    weights: Weights = Weights()
    markers: Markers = Markers()
    effort: Effort = Effort()
    review: Review = Review()
    budget: Budget = Budget()
    stricter: Mapping[str, Stricter] = {}

    def least(self, value: Least) -> int:
        """Return a least number, with the word `threshold` read as the threshold."""
        return self.threshold if value == "threshold" else int(value)

    @property
    def upper(self) -> int:
        """What the attacker's interval for a small group must reach."""
        return self.least(self.protect.upper)

    @property
    def width(self) -> int:
        """How wide the attacker's interval for a small group must be."""
        return self.least(self.protect.width)

    @property
    def marker(self) -> tuple[float, float]:
        """The interval that the marker of a withheld count tells."""
        if self.rounding and self.rounding.hide:
            return float(self.rounding.hide[0]), float(self.rounding.hide[1])
        return (1.0 if self.zero == "show" else 0.0), float("inf")

    @model_validator(mode="after")
    def _protects(self) -> Self:
        if self.upper < 1 or self.width < 1:
            raise ValueError("protect.upper and protect.width must be 1 or more")
        if self.rounding:
            _floor(self.rounding, self.threshold)
        return self


def _floor(rounding: Rounding, threshold: int) -> None:
    # Floor and base belong together: 1-5 hidden and the rest rounded to 5 leaves 6 or 7.
    if rounding.hide is None:
        if not rounding.midpoint or rounding.base < 6:
            raise ValueError("rounding.hide may be left out only with midpoint and base 6 or more")
    elif rounding.hide[0] > 1 or rounding.hide[1] < max(threshold - 1, rounding.base - 1):
        raise ValueError(
            "rounding.hide must reach from 0 or 1 to one below the threshold, and to base - 1"
        )


PRESETS: dict[str, dict[str, Any]] = {
    "exact": {},
    "srs": {"protect": {"upper": 10, "width": 1}},
    "hes": {
        "threshold": 8,
        "protect": {"upper": 5, "width": 5},
        "rounding": {"base": 5, "hide": [1, 7]},
    },
    "ten_five": {
        "zero": "hide",
        "protect": {"upper": 5, "width": 5},
        "rounding": {"base": 5, "hide": [0, 9]},
    },
    "opensafely": {
        "threshold": 8,
        "protect": {"upper": 6, "width": 5},
        "rounding": {"base": 5, "hide": [1, 7]},
    },
    "midpoint6": {
        "threshold": 6,
        "protect": {"upper": 6, "width": 5},
        "rounding": {"base": 6, "midpoint": True},
    },
}
FREE = ("preset", "effort", "weights", "stricter", "markers", "review.on_conflict")
FALLS = (
    "summaries.ratio_decimals", "models.digits", "class_disclosure.high", "budget",
    "summaries.dominance.k", "review",
)  # fmt: skip
ORDER = {"show": 0, "hide": 1, "audit": 0, "never": 1}
WORDS = {"zero": "hide", "saturated": "never", "hide_from": "0 or 1"}
INFINITE = float("inf")  # a key that follows the threshold is as strict as the threshold is


def preset(name: str) -> Rules:
    """Return the rules of a preset as they stand without any further key."""
    return Rules.model_validate({"preset": name, **PRESETS[name]})


def read_rules(text: str, partners: Iterable[str] | None = None) -> Rules:
    """Read disclosure.yaml; unknown keys and values weaker than the preset are refused, by line."""
    raw = read_yaml(text, "disclosure.yaml") or {}
    name = raw.get("preset", "exact") if isinstance(raw, dict) else "exact"
    lines: list[str] = []
    try:
        rules = Rules.model_validate(_joined(PRESETS.get(str(name), {}), raw))
    except ValidationError as broken:
        lines = [_at(text, e["loc"], e["msg"]) for e in broken.errors(include_input=False)]
    else:
        lines = [_at(text, place, word) for place, word in _weaker(rules, preset(rules.preset))]
        known = None if partners is None else set(partners)
        lines += [
            _at(text, ("stricter", p), "is no partner of params.yaml")
            for p in rules.stricter
            if known is not None and p not in known
        ]
    if lines:
        raise DisclosureError("\n  ".join(["disclosure.yaml:", *lines]))
    return rules


def for_output(rules: Rules, partners: Iterable[str]) -> Rules:
    """Return the strictest rules among those of the partners whose data feed an output."""
    asked = [rules.stricter[p] for p in sorted(set(partners)) if p in rules.stricter]
    told = rules.model_dump(by_alias=True)
    for one in asked:
        told["threshold"] = max(told["threshold"], one.threshold or 0)
        told["units"]["families"] = max(told["units"]["families"], one.families or 0)
        told["models"]["min_n"] = max(rules.least(told["models"]["min_n"]), one.min_n or 0)
    return Rules.model_validate(told) if asked else rules


def rules_hash(rules: Rules) -> str:
    """Return the SHA-256 that names these rules on every release."""
    return hashlib.sha256(rules.model_dump_json(by_alias=True).encode()).hexdigest()


def _joined(first: Any, second: Any) -> Any:
    if isinstance(first, Mapping) and isinstance(second, Mapping):
        keys = [*first, *(k for k in second if k not in first)]
        return {
            k: _joined(first[k], second[k]) if k in first and k in second else
            second.get(k, first.get(k))
            for k in keys
        }  # fmt: skip
    return second


def _weaker(rules: Rules, least: Rules) -> list[tuple[tuple[str, ...], str]]:
    """Return every key that asks for less than the preset, and what it must be."""
    given, wanted = _leaves(rules, INFINITE), _leaves(least, least.threshold)
    found = []
    for place, value in wanted.items():
        mine, key = given.get(place), ".".join(place)
        if value is None or key.startswith(FREE):
            continue
        if key.startswith(FALLS):
            weaker, word = mine is None or mine > value, f"must be at most {value}"
        elif isinstance(value, frozenset):
            weaker, word = (
                mine is None or not mine >= value,
                f"must hold {', '.join(sorted(value))}",
            )
        else:
            weaker, word = (
                mine is None or mine < value,
                f"must be {WORDS.get(place[-1], f'at least {value}')}",
            )
        if weaker:
            found.append((place, f"{word} under preset {rules.preset}"))
    return found


def _leaves(part: BaseModel, threshold: float) -> dict[tuple[str, ...], Any]:
    """Return the keys that can be weaker; the word `threshold` stands for the one given."""
    found: dict[tuple[str, ...], Any] = {}
    for name, field in type(part).model_fields.items():
        key, value = field.alias or name, getattr(part, name)
        if name == "hide" and value is not None:
            found[f"{key}_from",], found[f"{key}_to",] = -value[0], value[1]
        elif isinstance(value, BaseModel):
            found |= {(key, *rest): v for rest, v in _leaves(value, threshold).items()}
        elif isinstance(value, tuple):
            found[key,] = frozenset(value)
        elif value == "threshold":
            found[key,] = threshold
        else:
            found[key,] = ORDER.get(value, value) if isinstance(value, str) else value
    return {k: v for k, v in found.items() if not isinstance(v, (str, Mapping))}


def _at(text: str, place: tuple[int | str, ...], word: str) -> str:
    """Return a complaint with the line of the file it is about."""
    node, line = yaml.compose(text, yaml.SafeLoader), 1
    for step in place:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        found = next(((k, v) for k, v in pairs if k.value == str(step).removesuffix("_to")), None)
        if found is None:
            break
        line, node = found[0].start_mark.line + 1, found[1]
    return (
        f"line {line}, {'.'.join(map(str, place)) or 'whole'}: {word.removeprefix('Value error, ')}"
    )
