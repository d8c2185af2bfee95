"""Hostile notebooks and pages: nothing gets through but released cells and committed prose."""

import copy
import json
import random

import pytest
from findings_hostile import REFUSED, SILENT, canaries, disguises, ordinary, pages
from findings_notebook import FACTS, code, executed, notebook, output, prose
from findings_release import fixture, small

from leap_eval.errors import PageError
from leap_eval.findings import blocks, scan
from leap_eval.findings.entry import checked, render
from leap_eval.findings.exporter import as_html, page, sections, story
from leap_eval.findings.release import opened

RELEASE = small()


def rendered(cell, audience="partners"):
    return page(notebook(cell), opened(RELEASE), audience, FACTS)


def found(made, told, again, audience="partners"):
    return scan.scan(made, RELEASE, told, FACTS, audience, again)


@pytest.mark.requirement("R31", "R32")
@pytest.mark.parametrize("channel", SILENT)
def test_what_a_cell_prints_or_hides_never_reaches_the_page(channel):
    for canary in canaries(channel):
        made = rendered(SILENT[channel](canary))
        assert not [d for d in disguises(canary) if d in made]


@pytest.mark.requirement("R32")
@pytest.mark.parametrize("channel", REFUSED)
def test_a_cell_that_tries_to_say_more_than_a_page_may_is_refused(channel):
    for canary in canaries(channel):
        with pytest.raises(PageError) as told:
            rendered(REFUSED[channel](canary))
        assert canary not in str(told.value)


def test_notebook_metadata_and_its_title_cell_never_reach_the_page():
    told = notebook(code(output(blocks.flow()))) | {"metadata": {"title": "Zebedee"}}
    told["cells"][0]["source"] = "# Zebedee"
    assert "Zebedee" not in page(told, opened(RELEASE), "leap", FACTS)


@pytest.fixture(scope="module")
def whole():
    told = notebook(
        code(output(blocks.flow())), prose("## Plain words\n\nA sentence."),
        code(output(blocks.reach_map()), output(blocks.withheld()), output(blocks.downloads())),
    )  # fmt: skip
    release = opened(RELEASE)
    nodes = story(told, release, "partners", FACTS)
    return told, as_html(nodes, release, "partners", FACTS), sections(nodes)


@pytest.mark.requirement("R32", "R47", "R49", "R50")
def test_the_scan_refuses_every_page_with_one_thing_too_many(whole):
    told, made, again = whole
    hostile = list(pages(made, 1))
    assert len(hostile) >= 150
    for name, changed in hostile:
        breaches = found(changed, told, again)
        assert breaches, name
        assert not any("Zebedee" in b.rule + b.place or "88412397" in b.rule for b in breaches)


def test_the_scan_passes_the_page_that_the_exporter_makes(whole):
    told, made, again = whole
    assert found(made, told, again) == ()
    assert checked(made, json.dumps(told).encode(), RELEASE, "partners", FACTS) == ()


ALONE = {
    "bytes": ("</h1>", "\u200b</h1>"),
    "form": ("</nav>\n<main", "</nav><main "),
    "markup": ("</main>", "<img></main>"),
    "shell": ('<main id="main">', '<main id="main" class="zebedee">'),
    "policy": ("no-referrer", "unsafe-url"),
    "stamp": ('class="stamp"', 'class="kicker"'),
    "addresses": ('href="#main"', 'href="x.html"'),
    "numbers": ("61,204", "61,205"),
    "words": ("<caption>", "<caption>Zebedee "),
    "prose": ("A sentence.", ""),
    "again": ("61,204", "14,876"),
    "complete": ('data-output="reach-ward"', 'data-output="flow"'),
}


def test_each_rule_of_the_scan_has_a_page_of_its_own():
    assert set(ALONE) == set(scan.RULES)


@pytest.mark.parametrize("rule", ALONE)
def test_switching_off_a_rule_of_the_scan_lets_its_page_through_that_rule(whole, rule, monkeypatch):
    told, made, again = whole
    old, new = ALONE[rule]
    assert old in made
    monkeypatch.setattr(scan, "RULES", {rule: scan.RULES[rule]})
    assert found(made, told, again) == ()
    assert found(made.replace(old, new, 1), told, again)


def test_a_page_for_nobody_we_know_is_refused_by_its_name(whole):
    told, made, _ = whole
    with pytest.raises(PageError, match="findings-AUDIENCE"):
        checked(made, json.dumps(told).encode(), RELEASE, "press", FACTS)


def test_hardly_any_change_of_one_character_passes_and_none_that_a_reader_sees(whole):
    told, made, again = whole
    draw = random.Random(1)
    for _ in range(60):
        place = draw.randrange(made.index("<body>"), len(made))
        letter = draw.choice("abcXYZ019")
        changed = made[:place] + letter + made[place + 1 :]
        if changed != made:
            assert found(changed, told, again), place


def test_a_page_may_not_drop_a_table_or_show_one_of_another_audience(whole):
    told, made, again = whole
    for changed in (
        scan.SECTION.sub("", made),
        made.replace('data-output="flow"', 'data-output="linkage-quality"', 1),
    ):
        assert any(b.place == "the page" for b in found(changed, told, again))


def test_more_than_four_thousand_words_of_prose_are_refused():
    cells = [prose("words " * 10 + "end.") for _ in range(380)]
    told = notebook(*cells, code(output(blocks.flow())))
    nodes = story(told, opened(RELEASE), "partners", FACTS)
    made = as_html(nodes, opened(RELEASE), "partners", FACTS)
    assert any("words" in b.rule for b in found(made, told, sections(nodes)))


@pytest.mark.parametrize("seed", range(30))
def test_ordinary_notebooks_are_never_blocked(seed):
    told, release = notebook(*ordinary(seed)), opened(RELEASE)
    nodes = story(told, release, "leap", FACTS)
    assert found(as_html(nodes, release, "leap", FACTS), told, sections(nodes), "leap") == ()


def test_a_release_with_a_changed_byte_or_a_foreign_file_is_refused():
    files = fixture()
    with pytest.raises(PageError, match="not the bytes"):
        opened(files | {"tables/flow.csv": files["tables/flow.csv"] + b"\n"})
    with pytest.raises(PageError, match="does not name"):
        opened(files | {"tables/more.csv": b"a\n"})


def test_a_live_programme_never_shows_pretend_data_nor_a_demo_real_ones():
    for state, facts in (("demo", FACTS | {"state": "live"}), ("live", FACTS)):
        with pytest.raises(PageError, match="state"):
            render(b"{}", fixture(1, state), "leap", facts)


def test_a_failed_output_stands_on_no_page():
    files = copy.deepcopy(RELEASE)
    manifest = json.loads(files["manifest.json"])
    for line in manifest["outputs"]:
        line["verdict"] = "fail"
    files["manifest.json"] = json.dumps(manifest).encode()
    with pytest.raises(PageError, match="not in this release"):
        page(notebook(code(output(blocks.flow()))), opened(files), "leap", FACTS)


def test_the_committed_notebook_shows_every_table_to_every_audience():
    files = fixture()
    for audience in ("leap", "partners", "funder"):
        told = blocks.read_blocks(executed(), opened(files), audience)
        assert {b.output for b in told if isinstance(b, blocks.Block)} >= {"effects", "reach-ward"}
