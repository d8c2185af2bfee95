"""From a block to what a reader meets: counts, estimates, and what a page says of itself."""

from __future__ import annotations

from leap_eval.findings.blocks import Block
from leap_eval.findings.document import Node, Part, para
from leap_eval.findings.release import Release
from leap_eval.findings.sections import about, counts, estimates

SHOWN_BY = {
    "headlines": estimates.headlines,
    "forest": estimates.forest,
    "synergy": estimates.synergy,
    "equity": estimates.equity,
    "love": estimates.love,
    "checks": estimates.checks,
    "flow": counts.flow,
    "reach_map": counts.reach_map,
    "reach": counts.reach,
    "reach_groups": counts.reach_groups,
    "upset": counts.upset,
    "quality": counts.quality,
}


def nodes(block: Block, release: Release, audience: str, facts: dict[str, str]) -> tuple[Node, ...]:
    """Return what one block shows."""
    if block.kind in SHOWN_BY:
        output = release.outputs[block.output]
        if not any(r["value"] or r.get("code") for r in output.rows):
            return (Part(output.id, (para("Not in this release: too few children."),)),)
        made = SHOWN_BY[block.kind](output, block.option, audience, release.demo)
        return (Part(output.id, made),)
    return about.nodes(block.kind, release, audience, facts)
