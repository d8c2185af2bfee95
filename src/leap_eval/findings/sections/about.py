"""What a page says of itself: what is withheld, limits and rights, provenance, downloads."""

from __future__ import annotations

import hashlib

from leap_eval.findings.document import Download, Fold, Grid, Listing, Node, Para, Part, Run, para
from leap_eval.findings.downloads import address, dictionary, link
from leap_eval.findings.release import Release
from leap_eval.findings.words import day
from leap_eval.reference.labels import labels

LIMITS = (
    "Families chose the services. We compare like with like on what is recorded; what nobody "
    "records can still differ.",
    "Records were matched without names. A few matches are wrong or missing, and more in some "
    "groups than in others.",
    "A result that nobody recorded counts for no one. Children without a result may have done "
    "better or worse.",
    "The findings stand for these children, these services and these years, not for any other "
    "place.",
)


def nodes(kind: str, release: Release, audience: str, facts: dict[str, str]) -> tuple[Node, ...]:
    """Return one part about the page."""
    made = {
        "withheld": withheld,
        "limits": limits,
        "provenance": provenance,
        "downloads": downloads,
    }
    return made[kind](release, audience, facts)


def title(name: str) -> str:
    """Return the plain name of a table."""
    return str(labels()["table"].get(name, "".join(c for c in name if not c.isdigit())))


def withheld(release: Release, audience: str, facts: dict[str, str]) -> tuple[Node, ...]:
    """Count what is withheld, by table."""
    told = tuple(
        (title(n), f"{len(release.outputs[n].rows):,}", f"{release.outputs[n].withheld:,}")
        for n in release.ids(audience)
    )
    why = (
        "A number is withheld when it counts very few children, or when a small number could be "
        "worked out from it and its neighbours. It is shown as c: never as zero, never as a blank. "
        "Every page of this release withholds the same cells."
    )
    grid = Grid("cells shown and withheld, by table", ("table", "cells", "withheld"), told)
    return para(why), Part("manifest", (grid,))


def limits(release: Release, audience: str, facts: dict[str, str]) -> tuple[Node, ...]:
    """Say what the findings cannot show, and whom to ask."""
    contact = Para(
        (
            Run("Questions, requests about your own information and complaints: "),
            Run(facts["contact"], "fact"),
            Run(
                ". You may also ask the service you use. Independent advice: the Information "
                "Commissioner’s Office, ico.org.uk."
            ),
        )
    )
    return (
        Listing(tuple((Run(text),) for text in LIMITS)),
        contact,
    )


def provenance(release: Release, audience: str, facts: dict[str, str]) -> tuple[Node, ...]:
    """Say where every number comes from."""
    m = release.manifest
    rows = [
        ("release", m["name"]),
        ("the findings stand for", day(m["as_at"])),
        ("plan, SHA-256", m["plan_hash"]),
        ("rules of disclosure, SHA-256", m["rules_hash"]),
        ("software lock, SHA-256", m["lock_hash"]),
        ("ledger of releases, last line", m["ledger_head"]),
    ]
    tables = tuple(
        (f"{n}.csv", hashlib.sha256(release.outputs[n].raw).hexdigest())
        for n in release.ids(audience)
    )
    return (
        Part(
            "manifest",
            (
                Grid(
                    "this release",
                    ("what", "which"),
                    tuple((a, str(b or "none yet")) for a, b in rows),
                ),
                Fold(
                    "The tables and their SHA-256",
                    (Grid("each table of this page", ("file", "SHA-256"), tables),),
                ),
            ),
        ),
        para("This page may be passed on only inside the signed release file."),
    )


def downloads(release: Release, audience: str, facts: dict[str, str]) -> tuple[Node, ...]:
    """Give every table of this page, and the dictionary."""
    files = []
    for name in release.ids(audience):
        file, uri = link(release.outputs[name])
        files.append(Download(file, uri, f"{title(name)} ({file})"))
    book = address("text/csv", dictionary(release, audience))
    files.append(Download("dictionary.csv", book, "What each column means (dictionary.csv)"))
    return (Part("manifest", tuple(files)),)
