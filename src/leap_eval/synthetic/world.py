"""One drawn borough, frozen: everybody in it, what they used, and what could have been."""

from __future__ import annotations

from dataclasses import dataclass

from leap_eval.errors import SettingsError
from leap_eval.synthetic import uptake
from leap_eval.synthetic.families import Children, Families, children, families
from leap_eval.synthetic.outcomes import Latent, latent
from leap_eval.synthetic.planted import Planted
from leap_eval.synthetic.streams import Ints, Luck


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """The pretend LEAP as drawn; nothing in it is rounded for a file yet."""

    planted: Planted
    luck: Luck
    families: Families  # one per child drawn; those without children may be adult-only
    children: Children
    process: uptake.Process
    doses: uptake.Doses
    at: dict[int, uptake.State]  # the state at 12 and 24 months, before those months pass
    starts: Ints
    latent: Latent

    @property
    def services(self) -> tuple[str, ...]:
        """Return the services in order."""
        return self.process.names


def draw(p: Planted, seed: int, children_: int = 15_000, borough: int = 0) -> World:
    """Draw a borough: the same bytes for the same arguments, on any machine."""
    if not 500 <= children_ <= 200_000:
        raise SettingsError("--children: must lie between 500 and 200000")
    luck = Luck(seed, borough)
    fam = families(luck, round(1.1 * children_))
    kids = children(luck, children_, fam, p.leaving)
    q = uptake.process(p, luck, fam, kids)
    ages = uptake.months_of(p)
    state, at, since = uptake.begin(q), {}, uptake.FIRST
    for stop in (12, 24, uptake.LAST):
        state = uptake.run(q, ages, state, stop, since)
        at[stop], since = state.copy(), stop
    return World(
        p, luck, fam, kids, q, uptake.doses(p, luck, fam, kids), at, state.starts,
        latent(p, luck, fam, kids, state.starts),
    )  # fmt: skip
