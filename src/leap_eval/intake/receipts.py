"""The receipt: what we got, kept, left out and why, for the person who runs a playgroup."""

from __future__ import annotations

import html
import json
from typing import TYPE_CHECKING, Any

from leap_eval.agreements.agreement import Agreement
from leap_eval.agreements.programme import Programme
from leap_eval.reference.rules import RULES

if TYPE_CHECKING:
    from leap_eval.intake.filing import Reception

MOST_ROWS = 50


def receipt(done: Reception, agreement: Agreement, programme: Programme) -> dict[str, str]:
    """Return the receipt as txt, html and json; never a value out of the file."""
    lines = _lines(done, agreement, programme)
    told = {
        "partner": done.delivery.partner,
        "period": done.delivery.period,
        "verdict": done.verdict,
        **done.told,
    }
    return {
        "txt": "\n".join(lines) + "\n",
        "html": _html(lines),
        "json": json.dumps(told, sort_keys=True, indent=1) + "\n",
    }


def _lines(done: Reception, agreement: Agreement, programme: Programme) -> list[str]:
    period = f"{done.delivery.period}, sequence {done.delivery.sequence}"
    head = f"Receipt for {agreement.controller.name}, {period}"
    foot = ["", f"Questions: {programme.contact}"]
    if done.verdict != "filed":
        rule = RULES[done.rule or ""]
        what = "Nothing was filed. " if done.verdict == "refused" else "We had this already. "
        place = f"Where: {done.place}." if done.place else ""
        said = f"{what}{rule.says[0].upper()}{rule.says[1:]}."
        gone = "Our copy has been destroyed."
        return [head, "", said, place, f"What to do: {rule.remedy}.", gone, *foot]
    return [
        head,
        "",
        *_counts(done.told),
        *_fixes(done.told),
        "",
        "The file you sent has been destroyed.",
        *foot,
    ]


def _counts(told: dict[str, Any]) -> list[str]:
    persons = told["tables"].get("persons", {})
    asked, choice = persons.get("received", 0), persons.get("choice", 0)
    share = (
        [f"Without consent: {round(100 * choice / asked)} % of people."] if asked and choice else []
    )
    dropped = sum(told["columns_dropped"].values())
    return [
        f"We got {told['received']} rows and filed {told['filed']}.",
        f"Twice: {told['duplicate']}. Refused: {told['refused']}.",
        f"Left out at the person's choice: {told['choice']}.",
        *share,
        *(
            [f"{dropped} columns are not in our agreement and were dropped unread."]
            if dropped
            else []
        ),
    ]


def _fixes(told: dict[str, Any]) -> list[str]:
    lines: list[str] = []
    for table, faults in sorted(told["faults"].items()):
        for rule in sorted({rule for _, rule in faults}):
            rows = [row for row, r in faults if r == rule]
            shown = ", ".join(map(str, rows[:MOST_ROWS]))
            more = f" and {len(rows) - MOST_ROWS} more" if len(rows) > MOST_ROWS else ""
            good = f" A good value: {RULES[rule].example}." if RULES[rule].example else ""
            lines.append(
                f"- {table}, rows {shown}{more}: {RULES[rule].says}. {RULES[rule].remedy}.{good}"
            )
    return ["", "What to mend:", *lines] if lines else []


def _html(lines: list[str]) -> str:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    body = "".join(f"<p>{html.escape(line)}</p>" for line in lines if line)
    return (
        '<!doctype html><html lang="en-GB"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        "<title>Receipt</title></head>"
        f"<body><main>{body}</main></body></html>\n"
    )
