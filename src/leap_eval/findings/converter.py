"""The pages as an exporter of nbconvert; apart, because nbconvert is slow to import."""

from __future__ import annotations

from typing import Any

from nbconvert.exporters.exporter import Exporter

from leap_eval.findings.entry import facts
from leap_eval.findings.exporter import page
from leap_eval.findings.release import opened
from leap_eval.store import root, totals


class FindingsExporter(Exporter):
    """`jupyter nbconvert --to leap-eval-findings`: the same page, from this workspace's release."""

    file_extension = ".html"
    output_mimetype = "text/html"
    export_from_notebook = "LEAP findings"

    def from_notebook_node(self, nb: Any, resources: Any = None, **kw: Any) -> tuple[Any, Any]:
        """Export an executed findings notebook; its audience stands in its parameters."""
        audience = nb.metadata.get("papermill", {}).get("parameters", {}).get("audience", "leap")
        release = opened(totals.read_release())
        return page(nb, release, str(audience), facts(root())), {"output_extension": ".html"}
