"""From a block to what a reader meets: counts, estimates, and what a page says of itself."""

from __future__ import annotations

from leap_eval.findings.blocks import Block
from leap_eval.findings.document import Heading, Node, Part, para
from leap_eval.findings.release import Release
from leap_eval.findings.sections import about, counts, estimates, groups, methods, robustness
from leap_eval.findings.words import say

SHOWN_BY = {
    "headlines": estimates.headlines,
    "forest": estimates.forest,
    "synergy": estimates.synergy,
    "equity": groups.equity,
    "gaps": groups.gaps,
    "dose": estimates.dose,
    "breadth": estimates.breadth,
    "love": robustness.love,
    "checks": robustness.checks,
    "flow": counts.flow,
    "reach_map": counts.reach_map,
    "reach": counts.reach,
    "reach_groups": counts.reach_groups,
    "sums": counts.sums,
    "upset": counts.upset,
    "quality": counts.quality,
}
SAID_BY = {
    "withheld": about.withheld,
    "limits": about.limits,
    "provenance": about.provenance,
    "downloads": about.downloads,
    "methods": methods.methods,
    "glossary": methods.glossary,
}


def nodes(block: Block, release: Release, audience: str, facts: dict[str, str]) -> tuple[Node, ...]:
    """Return what one block shows; where a table is missing or empty, a sentence says so."""
    if block.kind in SAID_BY:
        told = SAID_BY[block.kind](release, audience, facts)
        return (Part("manifest", (Heading(2, say(f"about_{block.kind}")), *told)),)
    output = release.outputs.get(block.output) if block.output in release.ids(audience) else None
    if output is None:
        return (para(say("no_table")),)
    if not any(r["value"] or r.get("code") for r in output.rows):
        return (Part(output.id, (para(say("no_table")),)),)
    made = SHOWN_BY[block.kind](release, output, block.option, audience)
    return (Part(output.id, made),) if made else ()
