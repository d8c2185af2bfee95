"""Blind to the future: what happens after the windows changes nothing the design rests on."""

from datetime import date

import effects_world
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cohort import person
from test_exposure import contact, made, terms  # noqa: F401 - pytest finds the fixture by name

from leap_eval import design

# Born in May 2018: windows of trial m12 end by February 2020, those of m24 by February 2021.
EARLY, END = date(2019, 1, 1), date(2021, 3, 1)
later = st.dates(END, date(2025, 3, 31))
services = st.sampled_from(["chattertime", "making_it_real", "together_time", "natural_thinkers"])


@pytest.fixture(scope="module")
def world():
    return effects_world.draw(5, children=2000)


def windowed(told, children):
    """Everything but columns that are meant to look at all of a child's years."""
    wide = told.to_pandas()
    kept = [c for c in wide if not c.startswith(("start_", "used_"))]
    return wide[kept], children.to_pandas()


@settings(max_examples=6, deadline=None)
@given(
    now=st.lists(st.tuples(services, st.dates(EARLY, date(2020, 12, 31))), max_size=4),
    then=st.lists(st.tuples(services, later), min_size=1, max_size=4),
    need=st.tuples(st.sampled_from(["universal", "targeted", "specialist"]), later),
    decile=st.tuples(st.integers(1, 10), later),
)
def test_later_rows_change_no_background_and_no_window(terms, now, then, need, decile):  # noqa: F811
    contacts = [contact(s, d, row=i) for i, (s, d) in enumerate(now)]
    more = [contact(s, d, row=100 + i) for i, (s, d) in enumerate(then)]
    changed = person(
        disability="yes", disability_on=need[1], imd_decile=decile[0], area_on=decile[1]
    )
    before, children = windowed(*made(terms, *contacts))
    after, as_children = windowed(*made(terms, *contacts, *more, persons=[changed]))
    pd.testing.assert_frame_equal(before, after)
    trial = [c for c in children if "_x_" in c or "_nc_" in c or c.endswith("_eligible")]
    pd.testing.assert_frame_equal(children[trial], as_children[trial])


@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_later_starts_change_no_arm_fold_or_propensity(world, seed):
    rng = np.random.default_rng(seed)
    exposure = world.exposure.copy()
    for service in effects_world.SERVICES:
        none = exposure[f"start_{service}"].isna() & (rng.random(len(exposure)) < 0.3)
        exposure.loc[none, f"start_{service}"] = int(rng.integers(25, 60))
        exposure[f"used_{service}"] = rng.random(len(exposure)) < 0.5
    told = [design.run(world.plan, world.cohort, e, 2015).table for e in (world.exposure, exposure)]
    kept = [c for c in told[0] if c.startswith(("arm.", "fold_", "p."))]
    assert kept
    pd.testing.assert_frame_equal(told[0][kept], told[1][kept])
