"""What the pretend LEAP looks like beside what LEAP published."""

from __future__ import annotations

import numpy as np

from leap_eval.synthetic.places import places
from leap_eval.synthetic.tables import Records
from leap_eval.synthetic.uptake import NEVER
from leap_eval.synthetic.world import World

PUBLISHED = {
    "children_reached": (14_028, 0.02), "families_reached": (15_374, 0.06),
    "adults_reached": (15_254, 0.02),
    "event_children": (3_437, 0.05), "leap_deciles_1_3": (0.68, 0.02),
}  # fmt: skip


def portrait(world: World, held: Records) -> dict[str, float]:
    """Return the figures by which the pretend LEAP is known."""
    kids, began = world.children, world.starts != NEVER
    reached = began.any(axis=1)
    met = held.people[held.people.record.isin(held.contacts.record) | ~held.people.child]
    event = began[:, world.services.index("community_events")]
    inside = kids.area < 42
    figures = {
        "children": len(kids.family), "children_reached": reached.sum(),
        "families_reached": met.family.nunique(),
        "adults_reached": met[~met.child].person.nunique(),
        "event_children": event.sum(), "event_families": len(np.unique(kids.family[event])),
        "leap_deciles_1_3": (places().decile[kids.area[inside]] <= 3).mean(),
        "none_by_12": 1 - (world.starts < 12).any(axis=1).mean(),
        "none_by_24": 1 - (world.starts < 24).any(axis=1).mean(),
        "combinations_by_24": len(np.unique(world.starts < 24, axis=0)),
        "contacts": len(held.contacts), "outcomes": len(held.outcomes), "records": len(held.people),
    }  # fmt: skip
    figures |= {f"service_{s}": n for s, n in zip(world.services, began.sum(axis=0), strict=True)}
    for item, name in (("gld", "gld"), ("communication", "communication_ceiling")):
        value = held.outcomes.value[held.outcomes["item"] == item]
        figures[name] = (value == value.max()).mean()
    return {k: round(float(v), 4) for k, v in figures.items()}


def rendered(figures: dict[str, float]) -> str:
    """Return docs/pretend-leap.md."""
    lines = [
        "# The pretend LEAP",
        "",
        "Everybody in it is invented. Its figures, beside those LEAP published where there are:",
        "",
    ]
    lines += ["| figure | pretend | published |", "|---|---|---|"]
    for name, value in figures.items():
        told = PUBLISHED.get(name)
        lines.append(
            f"| {name.replace('_', ' ')} | {value:,.10g} | {f'{told[0]:,}' if told else ''} |"
        )
    return "\n".join(lines) + "\n"
