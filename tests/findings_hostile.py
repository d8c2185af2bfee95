"""Hostile notebooks and pages, made with a seed: each carries a canary of its own."""

import base64
import random
from urllib.parse import quote

from findings_notebook import code, output, prose

from leap_eval.findings import blocks

MIME = blocks.MIME


def canaries(seed, many=8):
    """Draw what an analyst might carry out: a pseudonym, a name, a number, a postcode, a day."""
    draw = random.Random(seed)
    letters = "bcdfghjklmnpqrtvwxz"

    def word(n):
        return "".join(draw.choice(letters) for _ in range(n))

    made = (
        lambda: f"sid1_{word(12)}",
        lambda: f"{word(7).title()} Qu{word(5)}",
        lambda: str(draw.randint(70_000_000, 99_999_999)),
        lambda: f"ZW{draw.randint(1, 9)} {draw.randint(1, 9)}{word(2).upper()}",
        lambda: f"{draw.uniform(10_000, 99_999):.4f}",
        lambda: f"19{draw.randint(10, 40)}-0{draw.randint(1, 9)}-{draw.randint(10, 28)}",
        lambda: f"{word(6)}@{word(6)}.zz",
        lambda: f"{word(5)} {word(6)} {word(8)}",
    )
    return [made[i % len(made)]() for i in range(many)]


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


SILENT |= {
    "papermill parameters": lambda c: meta(code(), "metadata", {"papermill": {"parameters": c}}),
    "slide note": lambda c: meta(code(), "metadata", {"slideshow": {"slide_type": c}}),
    "vega": lambda c: shown("application/vnd.vegalite.v5+json", {"data": c}),
    "forged picture beside a block": lambda c: code(
        {"output_type": "display_data", "metadata": {},
         "data": output(blocks.flow())["data"] | {"image/svg+xml": f"<svg><text>{c}</text></svg>"}}
    ),
    "stream that looks like a block": lambda c: code(
        {"output_type": "stream", "name": "stdout", "text": f'{{"kind": "flow", "alt": "{c}"}}'}
    ),
}  # fmt: skip
REFUSED |= {
    "tab": lambda c: prose(f"Plain\twords {c}"),
    "private use": lambda c: prose(f"\ue000 {c}"),
    "combining run": lambda c: prose(f"e\u0301\u0301 {c}"),
    "reference without a cell": lambda c: prose("{{reach-ward.children[ward=" + c + "]}}"),
    "block about the page with a table": lambda c: forged(kind="limits", output="flow", option=""),
    "kind that does not fit its table": lambda c: forged(kind="upset", output="flow", option=""),
}


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
FILE = "<a download='x.csv' href='data:"
PAGES |= {
    "a class as a message": ('<main id="main">', '<main id="main" class="zebedee">'),
    "an id as a message": ('<main id="main">', '<main id="zebedee">'),
    "a word of ours in the shell": ("</h1>", "</h1><p>Stockwell</p>"),
    "a word of ours between the parts": ('<main id="main">', '<main id="main"><p>Stockwell</p>'),
    "a heading of ours": ("A sentence.</p>", "A sentence.</p><h3>Stockwell</h3>"),
    "a sentence left out": ("A sentence.", ""),
    "a sentence twice": ("<p>A sentence.</p>", "<p>A sentence.</p><p>A sentence.</p>"),
    "another title": ("<title>", "<title>Zebedee "),
    "a released cell in another row": ("61,204", "14,876"),
    "a colour": (' fill="#1f5a94"', ' fill="#a8481a"'),
    "a digit in a path": ('d="M', 'd="M 7'),
    "blanks as a message": ("</h1>", "</h1> \t "),
    "doubled blanks": ("</main>", "  \n\n</main>"),
    "a thin blank": ("A sentence.", "A\u2009sentence."),
    "a hidden download": ("</main>", f"{FILE}text/csv;base64,QQ=='>x</a></main>"),
    "a data address of another kind": ("</nav>", "<a href='data:text/html,x'>x</a></nav>"),
    "a referrer": ("no-referrer", "unsafe-url"),
    "a comment": ("</main>", "<!-- x --></main>"),
    "an alt text": ("<desc ", "<desc class='x' "),
    "a spoken label": ("On this page", "Zebedee"),
}  # fmt: skip
CARRIED = {  # a place to which a message is appended, and what closes it
    "after the heading": ("</h1>", "</h1><p>{}</p>"),
    "in the prose": ("A sentence.", "A sentence. {}"),
    "in a caption": ("<caption>", "<caption>{} "),
    "in a summary": ("<summary>", "<summary>{} "),
    "in a header cell": ('<th scope="row">', '<th scope="row">{} '),
    "in a cell": ("<td>", "<td>{} "),
    "in a figure": ("</svg>", "<text x='1' y='1'>{}</text></svg>"),
    "in a description": ("</desc>", " {}</desc>"),
    "in a drawn title": ("</title><desc", " {}</title><desc"),
    "in a label for ears": ('aria-label="', 'aria-label="{} '),
    "in the navigation": ("</nav>", "<p>{}</p></nav>"),
    "in the foot": ("</footer>", "<p>{}</p></footer>"),
    "in the title": ("</title>\n<style>", " {}</title>\n<style>"),
    "in a formula": ("</main>", "<math alttext='{}'><mi>x</mi></math></main>"),
}  # fmt: skip


def pages(made, seed):
    """Yield hostile pages: each single change, then messages in every place."""
    for name, (old, new) in PAGES.items():
        assert old in made, name
        yield name, made.replace(old, new, 1)
    for name, (old, new) in CARRIED.items():
        assert old in made, name
        for message in [*canaries(seed, 8), "Stockwell Vassall Chattertime", "Oval " * 3 + "c x c"]:
            yield f"{name}: {message}", made.replace(old, new.format(message), 1)


def disguises(canary):
    """Return a canary in every coding a message might wear."""
    raw = canary.encode()
    return (
        canary, canary.lower(), canary.upper(), canary[::-1], " ".join(canary), raw.hex(),
        base64.b64encode(raw).decode(), base64.b32encode(raw).decode(), quote(canary),
        canary.encode("utf-16-le").hex(), base64.b64encode(canary.encode("utf-16-le")).decode(),
    )  # fmt: skip


SENTENCES = (
    "Plain words a parent can read.",
    "We *may* be **wrong**.",
    "- one thing\n- another thing",
    "### A smaller heading\n\nSee [this heading](#a-smaller-heading).",
    "#### The smallest heading",
    "{{flow.children[step=sent_records]}} records came in.",
    "Write to {{programme.contact}}.",
    "Withheld: {{withheld.flow}} cells.",
    "The mean is $\\theta_{a}$.",
    "Éloïse says “yes”, it’s true…",
    "Two lines\nof one paragraph.",
    "## A heading\n\nand words **after** it, (in brackets) too.",
)
SHOWN = (
    blocks.reach_map, blocks.flow, blocks.withheld, blocks.limits, blocks.glossary,
    blocks.methods, blocks.provenance, blocks.downloads, blocks.headlines,
)  # fmt: skip


def ordinary(seed):
    """Make a notebook from the allowed parts alone: every sentence and block at most once."""
    draw = random.Random(seed)
    words = draw.sample(SENTENCES, 6)
    shown_blocks = draw.sample(SHOWN, 4)
    cells = [prose(w) for w in words] + [code(output(b())) for b in shown_blocks]
    draw.shuffle(cells)
    return cells
