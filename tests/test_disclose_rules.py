"""disclosure.yaml: presets as published, keys that may only be stricter, rounding as intervals."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leap_eval.disclosure import magnitude, models
from leap_eval.disclosure.rounding import shown
from leap_eval.disclosure.rules import PRESETS, for_output, preset, read_rules, rules_hash
from leap_eval.errors import DisclosureError

# What each body publishes, written down by hand: (text, lowest, highest) of a true count.
WITHHELD = ("", 1, math.inf)


def exact(n):
    return WITHHELD if 0 < n < 10 else (str(n), n, n)


def nearest_five(n):
    last = n % 10
    return n - last + (0 if last < 3 else 5 if last < 8 else 10)


def hes(n):
    if n == 0:
        return ("0", 0, 0)
    return (
        ("", 1, 7) if n <= 7 else (str(nearest_five(n)), nearest_five(n) - 2, nearest_five(n) + 2)
    )


def ten_five(n):
    told = nearest_five(n)
    return ("", 0, 9) if n < 10 else (str(told), max(10, told - 2), told + 2)


def midpoint6(n):
    told = 6 * math.ceil(n / 6) - 3
    return ("0", 0, 0) if n == 0 else (str(told), told - 2, told + 3)


PUBLISHED = {
    "exact": exact, "srs": exact, "hes": hes, "opensafely": hes, "ten_five": ten_five,
    "midpoint6": midpoint6,
}  # fmt: skip


@pytest.mark.parametrize("name", PRESETS)
def test_every_count_to_200_is_shown_as_its_preset_is_published(name):
    told = shown(np.arange(201), preset(name))
    found = list(zip(told.text, told.low, told.high, strict=True))
    assert found == [PUBLISHED[name](n) for n in range(201)]


@pytest.mark.parametrize("name", PRESETS)
def test_an_interval_holds_exactly_the_counts_that_look_the_same(name):
    told = shown(np.arange(201), preset(name))
    for n in range(190):
        alike = [m for m in range(201) if told.text[m] == told.text[n]]
        if math.isfinite(told.high[n]):
            assert alike == list(range(int(told.low[n]), int(told.high[n]) + 1))


def test_the_rules_of_this_workspace_are_the_exact_preset(root):
    assert read_rules((root / "disclosure.yaml").read_text()) == preset("exact")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("threshold: 9", "line 1, threshold: must be at least 10"),
        ("preset: exact\n\nunits: {families: 2}", "line 3, units.families: must be at least 3"),
        ("preset: ten_five\nzero: show", "line 2, zero: must be hide"),
        ("preset: hes\nrounding: null", "line 2, rounding.base: must be at least 5"),
        ("preset: hes\nprotect:\n  upper: 4", "line 3, protect.upper: must be at least 5"),
        ("models: {min_df: 5}", "models.min_df: must be at least 10"),
        ("models: {n_gap: 4}", "models.n_gap: must be at least 10"),
        ("budget: {cells: 30000}", "budget.cells: must be at most 20000"),
        ("class_disclosure: {services: []}", "class_disclosure.services: must hold dv_groups"),
        ("protect: {width: 0}", "must be 1 or more"),
        ("preset: hes\nrounding: {base: 5, hide: [1, 5]}", "rounding.hide must reach"),
        ("preset: gentle", "line 1, preset"),
        ("treshold: 12", "line 1, treshold"),
        ("attacker: {collude: false}", "line 1, attacker.collude"),
        ("markers: {withheld: d}", "line 1, markers.withheld"),
        ("stricter: {nobody: {threshold: 12}}", "line 1, stricter.nobody: is no partner"),
    ],
)
def test_a_weaker_or_unknown_key_is_refused_with_its_line(text, place):
    with pytest.raises(DisclosureError) as refused:
        read_rules(text, partners=["story_doorstep"])
    assert place in str(refused.value)


@pytest.mark.parametrize(
    "text",
    ["threshold: 12", "zero: hide", "models: {digits: 1, saturated: never}",
     "rounding: {base: 5, hide: [0, 9]}", "review: {withheld_share: 0.2}",
     "preset: hes\nthreshold: 12\nrounding: {base: 10, hide: [0, 12]}"],
)  # fmt: skip
def test_a_stricter_key_is_taken_and_changes_the_hash(text):
    assert rules_hash(read_rules(text)) != rules_hash(preset("exact"))


def test_an_output_obeys_the_strictest_partner_whose_data_feed_it():
    text = "stricter: {a: {threshold: 12}, b: {families: 5, min_n: 30}}"
    rules = read_rules(text, partners=["a", "b", "c"])
    assert for_output(rules, ["c"]).threshold == 10
    both = for_output(rules, ["a", "b", "c"])
    assert (both.threshold, both.upper, both.units.families) == (12, 12, 5)
    assert both.models.min_n == 30


@given(st.floats(0, 1000), st.floats(0, 1000), st.floats(0, 5000))
def test_whoever_knows_the_second_part_cannot_come_near_the_first_in_a_sum_that_passes(a, b, rest):
    first, second = max(a, b), min(a, b)
    passes = not magnitude.dominated([first + second + rest], [first], [second], preset("exact"))[0]
    # The second largest guesses the largest as total less its own part: off by `rest`.
    assert not passes or first == 0 or rest >= 0.0999 * first


def test_a_sum_of_nothing_tells_of_everybody_and_fails():
    assert magnitude.dominated([0, 500], [0, 30], [0, 20], preset("exact")).tolist() == [
        True,
        False,
    ]


def test_a_sum_smaller_than_its_parts_is_an_error_of_the_cube():
    with pytest.raises(DisclosureError, match="top1 and top2"):
        magnitude.dominated([10], [9], [8], preset("exact"))


def test_all_or_none_of_a_group_is_a_class_disclosure():
    told = magnitude.classes([0, 5, 40, 3], [40, 40, 40, 0], preset("exact"))
    assert told.tolist() == [True, False, True, False]


def test_a_share_stands_only_where_both_counts_do():
    assert magnitude.ratio(30, 90, 1) == "0.333"
    assert magnitude.ratio(None, 90, 1) == magnitude.ratio(30, None, 1) == ""


GOOD = {
    "outcome": "asq", "trial": "m12", "family": "service", "contrast": "a", "arms": "a",
    "reference": "none", "subgroup": "all", "n_arm": 120, "n_reference": 900, "n": 1100,
    "families": 1000, "df_resid": 1000, "rank": 50, "patterns": 900, "min_level": 20,
    "min_events": 40,
}  # fmt: skip


def verdicts(*changes, eligible=None):
    table = pd.DataFrame([{**GOOD, **change} for change in changes])
    told = models.check_estimates(table, preset("exact"), eligible)
    return [(v.verdict, v.why) for v in told]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"df_resid": 9}, "df"), ({"n_arm": 9}, "n"), ({"n_reference": 9}, "n"),
        ({"families": 2}, "families"), ({"min_level": 1}, "level"), ({"min_events": 9}, "events"),
        ({"rank": 900, "n_arm": 45, "df_resid": 200}, "saturated"),
    ],
)  # fmt: skip
def test_each_rule_for_models_fails_the_estimate_that_breaks_it(change, why):
    assert verdicts({}, {**change, "contrast": "b", "arms": "b"}) == [("pass", ""), ("fail", why)]


def test_a_saturated_model_of_large_cells_is_for_people_to_look_at():
    assert verdicts({"rank": 900}) == [("review", "saturated")]


@pytest.mark.parametrize("few", range(1, 10))
def test_two_nested_numbers_of_children_never_differ_by_one_to_nine(few):
    part = {"family": "subgroup", "subgroup": "disability:no", "n_arm": 120 - few}
    assert verdicts({}, part) == [("pass", ""), ("fail", "nested")]


@pytest.mark.parametrize("apart", [0, 10, 60])
def test_nested_numbers_that_are_equal_or_far_apart_pass(apart):
    part = {"family": "subgroup", "subgroup": "disability:no", "n_arm": 120 - apart}
    assert verdicts({}, part) == [("pass", ""), ("pass", "")]


def test_an_exact_combination_is_nested_in_the_service_it_holds():
    pair = {"family": "combination", "arms": "a + b", "n_arm": 115}
    assert verdicts({}, pair)[1] == ("fail", "nested")


def test_an_arm_nearly_all_of_whose_children_have_a_result_fails():
    arm = {"family": "combination", "n_arm": 120}
    assert verdicts(arm, eligible={("m12", "a"): 125}) == [("fail", "nested")]
    assert verdicts(arm, eligible={("m12", "a"): 220}) == [("pass", "")]


@pytest.mark.parametrize(
    ("value", "se", "text"),
    [(0.123456, 0.0345, "0.123"), (12.3456, 1.234, "12.3"), (-0.0004, 0.01, "0.000"),
     (1234.5, 120.0, "1230"), (0.5, 0.0, ""), (None, 1.0, "")],
)  # fmt: skip
def test_an_estimate_is_cut_to_two_digits_of_its_standard_error(value, se, text):
    assert models.digits(value, se) == text
