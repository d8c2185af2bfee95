"""Instruments and their items: ranges, levels, and the ages they are meant for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Item:
    """What one item may be: a number in a range, or one of some levels; and at what ages."""

    low: float | None = None
    high: float | None = None
    levels: tuple[str, ...] = ()
    ages: tuple[int, int] = (0, 72)


_ASQ = {
    name: Item(0, 60, ages=(23, 36))
    for name in ("communication", "gross_motor", "fine_motor", "problem_solving", "personal_social")
}
INSTRUMENTS: dict[str, dict[str, Item]] = {
    "asq3@27": _ASQ,
    "asq3@30": _ASQ,
    "asqse2": {"total": Item(0, 500, ages=(23, 36))},
    "eyfsp@2012": {"gld": Item(0, 1, ages=(55, 72))},
    "eyfsp@2021": {"gld": Item(0, 1, ages=(55, 72))},
    "ncmp": {"bmi_centile": Item(0, 100, ages=(48, 72))},
    "feeding": {"status_6_8_weeks": Item(levels=("totally", "partially", "not"), ages=(0, 4))},
    "wellcomm": {"section": Item(levels=("red", "amber", "green"), ages=(18, 60))},
    "dental": {"registered": Item(0, 1, ages=(18, 40)), "dmft": Item(0, 20, ages=(48, 84))},
    "wemwbs": {"before": Item(14, 70, ages=(0, 1200)), "after": Item(14, 70, ages=(0, 1200))},
    "birth": {
        "weight_g": Item(200, 8000, ages=(0, 1)),
        "gestation_weeks": Item(20, 45, ages=(0, 1)),
    },
}
