"""Did it find the truth? What was planted in the pretend LEAP against what the stages say."""

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from leap_eval.store import totals

pytestmark = pytest.mark.demo


@pytest.fixture(scope="module")
def planted(root):
    links = pq.read_table(root / "truth/links.parquet").to_pandas()
    filed = [pq.read_table(f) for f in sorted((root / "work/ingest").glob("*/persons.parquet"))]
    keys = {k for t in filed for k in t.column("record_key").to_pylist()}
    # Records that were refused, or left out at the person's choice, are nobody's to link.
    return links[links.record_key.isin(keys)]


@pytest.fixture(scope="module")
def found(root):
    return pq.read_table(root / "work/link/links.parquet").to_pandas()


@pytest.fixture(scope="module")
def estimates(root):
    parts = sorted((root / "results/effects").glob("*.parquet"))
    return pd.concat([pq.read_table(p).to_pandas() for p in parts], ignore_index=True)


@pytest.fixture(scope="module")
def truth(root):
    return pd.read_csv(root / "truth/effects.csv", keep_default_na=False)


def pairs(sizes):
    return (sizes * (sizes - 1) // 2).sum()


def pairwise(found, planted, role):
    """Return precision, recall and F1 over all pairs of records that are one person."""
    both = found.merge(planted[["record_key", "person"]], on="record_key")
    both = both[both.role == role]
    true = pairs(planted[planted.role == role].groupby("person").size())
    made = pairs(both.groupby("study_id").size())
    right = pairs(both.groupby(["study_id", "person"]).size())
    return right / made, right / true, 2 * right / (made + true)


def test_children_are_recognised_across_partners_as_well_as_was_promised(found, planted):
    precision, recall, f1 = pairwise(found, planted, "child")
    assert f1 >= 0.97, (precision, recall)


def test_no_record_that_was_filed_is_lost_or_doubled_by_the_linkage(root, found):
    files = sorted((root / "work/ingest").glob("*/persons.parquet"))
    filed = pd.concat([pq.read_table(f, columns=["record_key"]).to_pandas() for f in files])
    assert sorted(found.record_key) == sorted(filed.record_key)


def test_the_estimated_precision_and_recall_of_the_links_are_near_the_true_ones(
    root, found, planted
):
    from leap_eval.store import files

    quality = files.json.loads((root / "results/link/quality.json").read_text())["value"]
    precision, recall, _ = pairwise(found, planted, "child")
    assert abs(quality["precision"]["value"] - precision) < 0.02
    assert abs(quality["recall"]["value"] - recall) < 0.05


def compared(estimates, truth):
    """Return each shown estimate beside the planted value of the same question."""
    asked = estimates[estimates.subgroup.eq("all") & estimates.estimate.notna()]
    asked = asked.assign(services=asked.arms.str.replace(" + ", "+"), reference="")
    keys = ["outcome", "trial", "family", "services"]
    return asked.merge(
        truth.rename(columns={"estimand": "family"}), on=keys, suffixes=("", "_true")
    )


def test_at_least_nine_in_ten_planted_effects_lie_inside_their_joint_bands(estimates, truth):
    both = compared(estimates, truth)
    inside = both.value.between(both.band_low, both.band_high)
    assert len(both) >= 30
    assert inside.mean() >= 0.9, both[~inside][
        ["outcome", "family", "services", "estimate", "value"]
    ]


def test_no_planted_null_is_called_real(estimates, truth):
    both = compared(estimates, truth)
    null = both[both.null.astype(str).str.lower().isin(["true", "1"])]
    assert len(null) >= 5
    assert not null.grade.isin(["A", "B", "C"]).any(), null[["outcome", "contrast", "grade"]]


def test_the_named_pair_is_told_with_the_sign_it_was_given_or_refused_with_its_reason(
    root, estimates, truth
):
    pair = ["chattertime", "making_it_real"]
    told = estimates[estimates.family.eq("pair") & estimates.arms.eq(" + ".join(pair))]
    refused = [
        d
        for d in totals.read_json("design/discovery")
        if d["arm"].split(" + ") == pair and d["number"] < 0
    ]
    planted = truth[(truth.estimand == "pair") & (truth.services == "+".join(pair))]
    assert (planted[planted.outcome == "asq3_communication"].value > 0).all()
    assert len(told) or all(d["why"] == "too_few" and d["n"] < 150 for d in refused)
    assert len(told) or refused
    assert (told[told.outcome == "asq3_communication"].band_high > 0).all()


def test_confounding_that_fools_the_naive_comparison_does_not_fool_ours(root, estimates, truth):
    # Speech therapy works (+.22 SD), and is for children who struggle: users score lower.
    design = pq.read_table(root / "work/design.parquet").to_pandas().query("draw == 0")
    results = pd.concat(
        pq.read_table(p).to_pandas() for p in (root / "work/ingest").glob("*/outcomes.parquet")
    )
    links = pq.read_table(root / "work/link/links.parquet").to_pandas()
    asked = results[results["item"].eq("communication") & results.instrument.str.startswith("asq3")]
    score = asked.merge(links, on="record_key").groupby("study_id")["value"].mean()
    both = design.set_index("study_id").join(score, how="inner")
    ever = both["start_speech_therapy"].notna()
    naive = both["value"][ever].mean() - both["value"][~ever].mean()
    assert naive / both["value"].std() < -0.15
    ours = compared(estimates, truth)
    error = (ours.estimate - ours.value) / ours.se
    assert np.abs(error).median() < 1.2
    assert abs(error.mean()) < 0.5
