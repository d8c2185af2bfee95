"""Hostile notebooks and pages: nothing gets through but released cells and committed prose."""

import base64
import copy
import json
import random
from urllib.parse import quote

import pytest
from findings_notebook import FACTS, code, executed, notebook, output, prose
from findings_release import fixture, small

from leap_eval.errors import PageError
from leap_eval.findings import blocks
from leap_eval.findings.entry import render
from leap_eval.findings.exporter import page
from leap_eval.findings.release import opened
from leap_eval.findings.scan import scan

MIME = blocks.MIME
CANARIES = ("sid1_qqqqzzzz", "Zebedee Quixote", "88412397", "SW9 0QZ", "14.0731")


def shown(mime, value):
    return code({"output_type": "display_data", "metadata": {}, "data": {mime: value}})


def forged(**changed):
    told = {"kind": "flow", "output": "flow", "option": ""} | changed
    return shown(MIME, told)


def meta(cell, key, value):
    return cell | {key: value}


SILENT = {  # dropped unread
    "print": lambda c: code({"output_type": "stream", "name": "stdout", "text": c}),
    "stderr": lambda c: code({"output_type": "stream", "name": "stderr", "text": c}),
    "traceback": lambda c: code(
        {"output_type": "error", "ename": c, "evalue": c, "traceback": [c]}
    ),
    "repr": lambda c: shown("text/plain", c),
    "html": lambda c: shown("text/html", f"<b>{c}</b>"),
    "styler": lambda c: shown("text/html", f"<style>#T{{content:'{c}'}}</style><table></table>"),
    "javascript": lambda c: shown("application/javascript", f"alert('{c}')"),
    "widget": lambda c: shown("application/vnd.jupyter.widget-view+json", {"model_id": c}),
    "latex": lambda c: shown("text/latex", f"${c}$"),
    "markdown display": lambda c: shown("text/markdown", f"## {c}"),
    "svg": lambda c: shown("image/svg+xml", f"<svg><text>{c}</text></svg>"),
    "svg path": lambda c: shown("image/svg+xml", f"<svg><path d='M {c}'/></svg>"),
    "png": lambda c: shown("image/png", base64.b64encode(c.encode()).decode()),
    "json": lambda c: shown("application/json", {"row": c}),
    "pdf": lambda c: shown("application/pdf", base64.b64encode(c.encode()).decode()),
    "output metadata": lambda c: code(
        {"output_type": "display_data", "metadata": {"alt": c}, "data": {"text/plain": c}}
    ),
    "source": lambda c: meta(code(), "source", f"'{c}'"),
    "cell metadata": lambda c: meta(code(), "metadata", {"tags": [c], "papermill": {"p": c}}),
    "cell id": lambda c: meta(code(), "id", c),
    "raw cell": lambda c: {"cell_type": "raw", "metadata": {}, "source": c},
    "attachment": lambda c: meta(prose("Plain words."), "attachments", {c: {"image/png": c}}),
    "block metadata": lambda c: code(output(blocks.flow()) | {"metadata": {"title": c}}),
    "block twin": lambda c: code(
        {
            "output_type": "display_data",
            "metadata": {},
            "data": output(blocks.flow())["data"] | {"text/html": c},
        }
    ),
}
REFUSED = {  # the whole page is refused
    "digits in prose": lambda c: prose(f"Row 7 {c}"),
    "raw html": lambda c: prose(f"<b title='{c}'>x</b>"),
    "picture": lambda c: prose(f"![{c}](data:image/png;base64,{quote(c)})"),
    "outside link": lambda c: prose(f"[here](https://example.org/{quote(c)})"),
    "code span": lambda c: prose(f"`{c}`"),
    "fence": lambda c: prose(f"```\n{c}\n```"),
    "roman numeral": lambda c: prose(f"Ⅷ {c}"),
    "circled": lambda c: prose(f"① {c}"),
    "fraction": lambda c: prose(f"½ {c}"),
    "zero width": lambda c: prose(f"words\u200b {c}"),
    "bidi": lambda c: prose(f"\u202e{c}"),
    "homoglyph": lambda c: prose(f"сhildren {c}"),
    "trailing blanks": lambda c: prose(f"Plain words.  \n{c} "),
    "doubled blanks": lambda c: prose(f"Plain  words {c}"),
    "long word": lambda c: prose("q" * 31 + c),
    "top heading": lambda c: prose(f"# heading\n{c}"),
    "quote": lambda c: prose(f"> {c}"),
    "unknown reference": lambda c: prose("{{flow.children[step=nothing]}} " + c),
    "other audience's reference": lambda c: prose("{{effects.estimate[contrast=x]}} " + c),
    "unknown command": lambda c: prose("$\\input{x}$ " + c),
    "unknown output": lambda c: forged(output="secrets", option=""),
    "other audience": lambda c: forged(kind="quality", output="linkage-quality"),
    "extra key": lambda c: forged(alt=c),
    "free option": lambda c: forged(option=c),
    "unknown kind": lambda c: forged(kind=c),
    "option outside the table": lambda c: forged(option="reach"),
    "not a mapping": lambda c: shown(MIME, [c]),
}


def rendered(cell, audience="partners"):
    release = opened(small())
    return page(notebook(cell), release, audience, FACTS)


def disguises(canary):
    raw = canary.encode()
    return (
        canary,
        canary.lower(),
        canary[::-1],
        raw.hex(),
        base64.b64encode(raw).decode(),
        base64.b32encode(raw).decode(),
        quote(canary),
    )


@pytest.mark.requirement("R31", "R32")
@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("channel", SILENT)
def test_what_a_cell_prints_or_hides_never_reaches_the_page(channel, canary):
    made = rendered(SILENT[channel](canary))
    assert not [d for d in disguises(canary) if d in made]


@pytest.mark.requirement("R32")
@pytest.mark.parametrize("canary", CANARIES)
@pytest.mark.parametrize("channel", REFUSED)
def test_a_cell_that_tries_to_say_more_than_a_page_may_is_refused(channel, canary):
    with pytest.raises(PageError) as told:
        rendered(REFUSED[channel](canary))
    assert canary not in str(told.value)


def test_notebook_metadata_and_its_title_cell_never_reach_the_page():
    told = notebook(code(output(blocks.flow()))) | {"metadata": {"title": CANARIES[1]}}
    told["cells"][0]["source"] = f"# {CANARIES[1]}"
    assert CANARIES[1] not in page(told, opened(small()), "leap", FACTS)


@pytest.fixture(scope="module")
def whole():
    files, told = (
        small(),
        notebook(code(output(blocks.flow())), prose("## Plain words\n\nA sentence.")),
    )
    return files, told, page(told, opened(files), "partners", FACTS)


PAGES = {
    "a foreign number": ("</h1>", "</h1><p>88412397</p>"),
    "a number in the wrong table": ('<p class="note">', '<p class="note">88412397 '),
    "a changed cell": ("61,204", "61,205"),
    "a foreign word": ("</h1>", "</h1><p>Zebedee</p>"),
    "a script": ("</body>", "<script>x</script></body>"),
    "a frame": ("</body>", "<iframe></iframe></body>"),
    "a form": ("</body>", "<form><input></form></body>"),
    "a picture": ("</body>", "<img src='data:image/png;base64,AA'></body>"),
    "a pixel": ("</body>", "<img src='https://example.org/p.gif'></body>"),
    "a style attribute": ("<main ", "<main style='color:red' "),
    "a handler": ("<main ", "<main onclick='x' "),
    "a data attribute": ("<main ", "<main data-row7='x' "),
    "a title": ("<main ", "<main title='Zebedee' "),
    "a label": ("<main ", "<main aria-label='Zebedee' "),
    "a comment": ("</body>", "<!-- Zebedee --></body>"),
    "an outside link": ("</main>", "<a href='https://example.org'>here</a></main>"),
    "a script link": ("</main>", "<a href='javascript:x'>the</a></main>"),
    "another file": (
        "</main>",
        "<a download='flow.csv' href='data:text/csv;base64,eA=='>the</a></main>",
    ),
    "a meta": ("<title>", "<meta name='author' content='x' http-equiv='refresh'><title>"),
    "a base": ("<title>", "<base href='https://example.org'><title>"),
    "a stylesheet": ("<title>", "<link rel='stylesheet' href='x.css'><title>"),
    "a second style": ("<title>", "<style>p{}</style><title>"),
    "a changed style": ("<style>", "<style>p::after{content:'x'}"),
    "a laxer policy": ("default-src 'none'", "default-src *"),
    "no policy": ('http-equiv="Content-Security-Policy"', 'name="policy"'),
    "no stamp": ('class="stamp"', 'class="note"'),
    "no stamp in the title": ("<title>Pretend data", "<title>Findings data"),
    "a zero-width space": ("</h1>", "\u200b</h1>"),
    "a bidi mark": ("</h1>", "\u202e</h1>"),
    "a decomposed letter": ("</h1>", "e\u0301</h1>"),
    "a roman numeral": ("</h1>", "Ⅷ</h1>"),
    "a fraction": ("</h1>", "½</h1>"),
    "an arabic digit": ("</h1>", "٣</h1>"),
    "another audience's table": ("</main>", "<div data-output='linkage-quality'>the</div></main>"),
    "a missing table": ('data-output="reach-ward"', 'data-output="flow"'),
    "a foreign object": ("</svg>", "<foreignObject>the</foreignObject></svg>"),
    "an animation": ("</svg>", "<animate></animate></svg>"),
    "a drawn image": ("</svg>", "<image href='x'></image></svg>"),
    "drawn words": ("</svg>", "<text>Zebedee</text></svg>"),
    "drawn numbers": ("</svg>", "<text>88412397</text></svg>"),
}


@pytest.mark.requirement("R32", "R47", "R49", "R50")
@pytest.mark.parametrize("change", PAGES)
def test_the_scan_refuses_a_page_with_one_thing_too_many(whole, change):
    files, told, made = whole
    old, new = PAGES[change]
    assert old in made
    breaches = scan(made.replace(old, new, 1), files, told, FACTS, "partners")
    assert breaches
    assert not any("Zebedee" in b.rule + b.place or "88412397" in b.rule for b in breaches)


def test_the_scan_passes_the_page_that_the_exporter_makes(whole):
    files, told, made = whole
    assert scan(made, files, told, FACTS, "partners") == ()


SENTENCES = (
    "Plain words a parent can read.",
    "We *may* be **wrong**.",
    "- one thing\n- another thing",
    "### A smaller heading",
    "See [what we found](#what-we-found).",
    "{{flow.children[step=sent_records]}} records came in.",
    "Write to {{programme.contact}}.",
    "Withheld: {{withheld.flow}} cells.",
    "The mean is $\\theta_{a}$.",
    "Éloïse says “yes”, it’s true…",
)


@pytest.mark.parametrize("seed", range(15))
def test_ordinary_notebooks_are_never_blocked(seed):
    draw = random.Random(seed)
    cells = [prose(draw.choice(SENTENCES)) for _ in range(6)] + [code(output(blocks.reach_map()))]
    told, files = notebook(*cells), small()
    made = page(told, opened(files), "leap", FACTS)
    assert scan(made, files, told, FACTS, "leap") == ()


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
    files = copy.deepcopy(small())
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
