"""What the blocks of a findings page look like on the desk: an extension of the kernel there.

The pages themselves are built from `release/` by the exporter, which reads none of this.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

BLOCK = ("leap_eval.findings.blocks", "Block")


def load_ipython_extension(shell: Any) -> None:
    """Show each block as the page of the notebook's audience will."""

    def picture(block: Any) -> str:
        return drawn(block, str(shell.user_ns.get("audience", "leap")))

    shell.display_formatter.formatters["text/html"].for_type_by_name(*BLOCK, picture)


def drawn(block: Any, audience: str) -> str:
    """Return the HTML of one block with the page's own style, kept to this output."""
    from leap_eval.findings import sections
    from leap_eval.findings.entry import facts
    from leap_eval.findings.exporter import shell
    from leap_eval.findings.screen import html
    from leap_eval.store import root

    release = _release()
    made = html(sections.nodes(block, release, audience, facts(root())))
    style = shell("page.css").replace(":root", ":scope")
    return f'<div class="leap-block"><style>@scope (.leap-block) {{{style}}}</style>{made}</div>'


@lru_cache(maxsize=1)
def _release() -> Any:
    from leap_eval.findings.release import opened
    from leap_eval.store import totals

    return opened(totals.read_release())
