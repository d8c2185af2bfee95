"""What a page says of itself: what is withheld, limits and rights, provenance, downloads."""

from __future__ import annotations

import hashlib

from leap_eval.findings.document import Download, Fold, Grid, Listing, Node, Run, para
from leap_eval.findings.downloads import address, dictionary, link
from leap_eval.findings.release import Release
from leap_eval.findings.words import capital, day, label, say

LIMITS = ("limit_chosen", "limit_matching", "limit_missing", "limit_many", "limit_here")
HASHES = ("plan_hash", "rules_hash", "lock_hash", "ledger_head")


def title(name: str) -> str:
    """Return the plain name of a table."""
    return label("table", name)


def withheld(release: Release, audience: str, facts: dict[str, str]) -> tuple[Node, ...]:
    """Count what is withheld, by table."""
    told = tuple(
        (title(n), f"{len(release.outputs[n].rows):,}", f"{release.outputs[n].withheld:,}")
        for n in release.ids(audience)
    )
    head = (say("table"), say("cells"), say("withheld"))
    return (
        para(say("withheld_why")),
        para(f"{say('withheld_not')} {say('unavailable')}"),
        Grid(say("withheld_table"), head, told),
    )


def limits(release: Release, audience: str, facts: dict[str, str]) -> tuple[Node, ...]:
    """Say what the findings cannot show, what readers may ask, and whom."""
    return (
        Listing(tuple((Run(say(key)),) for key in LIMITS)),
        para(say("rights")),
        para(say("ask", contact=facts["contact"])),
        para(say("ico")),
    )


def provenance(release: Release, audience: str, facts: dict[str, str]) -> tuple[Node, ...]:
    """Say where every number comes from."""
    m = release.manifest
    rows = [(say("name"), m["name"]), (say("as_at"), day(m["as_at"]))]
    if frozen := m.get("plan_frozen"):
        rows.append((say("plan_frozen"), day(str(frozen[-1]["on"]))))
    # The ledger begins with a line of noughts.
    hashes = {key: str(m.get(key) or "") for key in HASHES}
    rows += [(say(k), h if h.strip("0") else say("none_yet")) for k, h in hashes.items()]
    tables = tuple(
        (f"{n}.csv", hashlib.sha256(release.outputs[n].raw).hexdigest())
        for n in release.ids(audience)
    )
    head = (say("file"), say("hash"))
    return (
        Grid(say("this_release"), (say("what"), say("which")), tuple(rows)),
        Fold(say("hashes"), (Grid(say("hash_table"), head, tables),)),
        para(say("passing_on")),
        para(say("made_by")),
    )


def downloads(release: Release, audience: str, facts: dict[str, str]) -> tuple[Node, ...]:
    """Give every table of this page, and the dictionary."""
    files: list[Node] = [para(say("downloads"))]
    for name in release.ids(audience):
        file, uri = link(release.outputs[name])
        files.append(Download(file, uri, say("download", table=capital(title(name)), file=file)))
    book = address("text/csv", dictionary(release, audience))
    files.append(Download("dictionary.csv", book, say("dictionary", file="dictionary.csv")))
    return tuple(files)
