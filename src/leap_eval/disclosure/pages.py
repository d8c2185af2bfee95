"""Declared outputs as files: cells with their text, shares only where both counts are shown."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from leap_eval.disclosure.declare import ALL, Key, Nodes, Output
from leap_eval.disclosure.known import MEMBERSHIP
from leap_eval.disclosure.magnitude import ratio
from leap_eval.disclosure.proposal import TAIL, Declared
from leap_eval.disclosure.rules import Rules
from leap_eval.errors import DisclosureError

Row = dict[str, str]
Texts = Mapping[Key, str]  # what is shown of a cell; a withheld one has no text
Spans = Mapping[Key, tuple[str, str]]  # between what a rounded count lies


def ids(declared: Declared) -> tuple[str, ...]:
    """Return the names of the tables behind a declared output."""
    return (declared.id,) if len(declared.views) == 1 else declared.views


def outputs(declared: Declared, views: Mapping[str, tuple[str, Nodes]]) -> list[Output]:
    """Return the tables behind a declared output: one per view, each with its margins."""
    made = []
    for name, view in zip(ids(declared), declared.views, strict=True):
        if view not in views:
            raise DisclosureError(
                f"{declared.id}: there is no cube {view}; name one of {', '.join(sorted(views))}"
            )
        cube, nodes = views[view]
        if len(nodes) != len(declared.dimensions):
            raise DisclosureError(
                f"{declared.id}: {view} has the dimensions {', '.join(nodes)}; declare those"
            )
        whole: Nodes = {
            d: {**told, ALL: ()} if side in declared.margins else told
            for (d, told), side in zip(nodes.items(), declared.dimensions, strict=True)
        }
        # Everybody at once stands in the flow.
        corner = (declared.id, *(ALL for _ in whole))
        if declared.measure and any(d == MEMBERSHIP and ALL in n for d, n in whole.items()):
            raise DisclosureError(
                f"{declared.id}: services overlap, so no sum runs over them; take {MEMBERSHIP} "
                "from its margins"
            )
        skip = frozenset({corner} if len(whole) > 1 else ())
        made.append(Output(name, cube, whole, skip, declared.measure))
    return made


def rows(
    declared: Declared, tables: Sequence[Output], texts: Texts, spans: Spans, rules: Rules,
    sums: Texts,
) -> list[Row]:  # fmt: skip
    """Return an output's rows: counts as shown; shares and sums where they may be."""
    made: list[Row] = []
    for table in tables:
        for key in table.keys():  # noqa: SIM118 - a method of Output, not of a mapping
            head = dict(zip(declared.dimensions, key[1:], strict=True))
            low, high = spans.get(key, ("", ""))
            shown = _row(head, "children", texts.get(key, ""), rules)
            made.append(shown | {"low": low, "high": high})
            if declared.measure:
                row = _row(head, "mean" if declared.measure.mean else "total", "", rules)
                if key in sums:  # no mean of no child
                    nobody = "" if sums[key] else str(rules.markers.not_applicable)
                    row |= {"value": sums[key], "marker": nobody}
                made.append(row)
            whole = (key[0], *key[1:-1], ALL)
            if declared.shares and len(key) > 2 and ALL not in key[1:] and whole in texts:
                # Beside a hidden count a share would tell it.
                part, every = (float(texts.get(k) or "nan") for k in (key, whole))
                share = ratio(_told(part), _told(every), rules.summaries.ratio_decimals)
                made.append(_row(head, "share", share, rules))
    return made


def _told(value: float) -> float | None:
    return None if value != value else value


def _row(head: Mapping[str, str], measure: str, text: str, rules: Rules) -> Row:
    marker = "" if text else rules.markers.withheld
    return {**head, "measure": measure, "value": text, "low": "", "high": "", "marker": marker}


def withheld(made: Iterable[Mapping[str, str]], rules: Rules) -> list[Row]:
    """Return the rows with every value withheld: the file stays, its content does not."""
    marker = rules.markers.withheld
    return [{**r, "value": "", "low": "", "high": "", "marker": marker} for r in made]


def as_csv(declared: Declared, made: Sequence[Mapping[str, str]]) -> bytes:
    """Return the rows as UTF-8 CSV with LF line ends, codes before values."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [*declared.dimensions, *TAIL], lineterminator="\n")
    writer.writeheader()
    writer.writerows(made)
    return buffer.getvalue().encode()
