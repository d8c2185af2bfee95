"""The linkage report in the GUILD form, with RECORD 12.1 to 12.3: no required item stays empty."""

from __future__ import annotations

from string import Formatter
from typing import TYPE_CHECKING, Any

from leap_eval.errors import LinkError
from leap_eval.reference.sheets import guild_items

if TYPE_CHECKING:
    from leap_eval.agreements.agreement import Agreement

Report = dict[str, Any]


def guild(
    quality: Report, bias: Report, model: Report, agreements: dict[str, Agreement]
) -> list[dict[str, str]]:
    """Return each item of the form with its answer; a required one left empty raises.

    Nothing is typed by hand: answers come from the agreements, the model and the quality.
    """
    known = {**_provision(quality, agreements), **_linkage(quality, model), **_groups(bias)}
    sheet = [_answered(item, known) for item in guild_items()]
    empty = [one["id"] for one in sheet if one["required"] == "yes" and not one["answer"]]
    if empty:
        raise LinkError(
            f"the GUILD report lacks {', '.join(empty)}; give the agreements of all partners "
            "and run stage 02 on their records"
        )
    return sheet


def _answered(item: dict[str, Any], known: dict[str, str]) -> dict[str, str]:
    asked = [name for _, name, _, _ in Formatter().parse(item["says"]) if name]
    answer = item["says"].format(**known) if all(a in known for a in asked) else ""
    kept = {k: str(item[k]) for k in ("id", "form", "step", "asks")}
    return {**kept, "required": "yes" if item["required"] else "no", "answer": answer}


def _provision(quality: Report, agreements: dict[str, Agreement]) -> dict[str, str]:
    names = [row["partner"] for row in quality["known"]]
    if not names or not set(names) <= set(agreements):
        return {}
    mine = [agreements[name] for name in names]
    bases: dict[str, list[str]] = {}
    for one in mine:
        articles = [a for a in (one.lawful_basis.article_6, one.lawful_basis.article_9) if a]
        bases.setdefault(" with ".join(articles), []).append(f"{one.partner} (v{one.version})")
    trusts = sum(one.deidentified_by == "partner" for one in mine)
    return {
        "partners": str(len(names)),
        "partner_names": ", ".join(names),
        "bases": "; ".join(f"{basis}: {', '.join(who)}" for basis, who in sorted(bases.items())),
        "trusts": str(trusts),
        "services": str(len(mine) - trusts),
    }


def _linkage(quality: Report, model: Report) -> dict[str, str]:
    single = {row["band"]: row["records"] for row in quality["bands"]}.get("single", 0)
    counts = ("records", "children", "families", "links", "uncertain", "duplicates", "conflicts")
    told = {name: f"{quality[name]:,}" for name in counts}
    told |= {name: f"{quality[name]:,}" for name in ("no_tokens",)}
    told |= {
        "single": f"{single:,}",
        "missing_share": f"{100 * quality['missing_share']:.1f} %",
        "strangers": f"{model['strangers']:,}",
        "comparisons": str(len(model["levels"])),
        "rules": str(sum(len(rules) for rules in model["rules"].values())),
        "pairs": f"{sum(model['pairs'].values()):,}",
        "draws": str(model["settings"]["draws"]),
        "seed": str(model["settings"]["seed"]),
        "warnings": "; ".join(quality["warnings"]) or "No two differ by more than 1.5 points.",
        "methods": "; ".join(
            f"{m['measure']} {_interval(m)} by {m['method']}" for m in quality["methods"]
        ),
    }
    told["implausible"] = str(quality["implausible_per_1000"] or 0)
    for name in ("precision", "recall"):
        told |= {name: _interval(quality[name]), f"{name}_method": quality[name]["method"]}
    return {name: text for name, text in told.items() if text}


def _interval(measure: Report) -> str:
    if measure["value"] is None:
        return "cannot be told"
    return f"{measure['value']:.3f} ({measure['low']:.3f} to {measure['high']:.3f})"


def _groups(bias: Report) -> dict[str, str]:
    known = [g for g in bias["groups"] if g["recall"] is not None]
    flagged = [f"{g['dimension']} {g['group']}" for g in known if g["flag"] == "gap"]
    names = f": {', '.join(flagged)}" if flagged else ""
    return {"groups": str(len(known)), "flagged": str(len(flagged)), "flagged_names": names}
