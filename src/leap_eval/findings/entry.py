"""From an executed notebook and a release to one page and one PDF."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from leap_eval.agreements.programme import Programme
from leap_eval.errors import PageError
from leap_eval.findings.exporter import AUDIENCES, as_html, every_section, sections, story
from leap_eval.findings.pdf import render_pdf
from leap_eval.findings.release import Release, opened
from leap_eval.findings.scan import Breach, scan
from leap_eval.settings.params import read_yaml


def render(
    notebook: bytes, files: Mapping[str, bytes], audience: str, told: dict[str, str]
) -> tuple[str, bytes]:
    """Return page and PDF of one audience, scanned; anything amiss and there is neither."""
    release = opened(files)
    matching(release, told)
    executed = json.loads(notebook)
    nodes = story(executed, release, audience, told)
    made = as_html(nodes, release, audience, told)
    if breaches := scan(made, files, executed, told, audience, sections(nodes)):
        lines = "; ".join(f"{b.place}: {b.rule}" for b in breaches[:3])
        raise PageError(f"findings {audience}: {len(breaches)} breach(es) of the page: {lines}")
    return made, render_pdf(nodes, release, audience, told)


def checked(
    page: str, notebook: bytes, files: Mapping[str, bytes], audience: str, told: dict[str, str]
) -> tuple[Breach, ...]:
    """Return the breaches of a page that somebody else hands in; everything is drawn again."""
    if audience not in AUDIENCES:
        raise PageError(f"a page is named findings-AUDIENCE.html: {', '.join(AUDIENCES)}")
    release = opened(files)
    again = every_section(release, audience, told)
    return scan(page, files, json.loads(notebook), told, audience, again)


def facts(root: Path) -> dict[str, str]:
    """Return what a page may say of the programme."""
    path = root / "programme.yaml"
    told = Programme.model_validate(read_yaml(path.read_text(encoding="utf-8"), path.name))
    return {
        "contact": told.contact,
        "starts": told.starts.isoformat(),
        "ends": told.ends.isoformat(),
        "state": told.state,
    }


def matching(release: Release, told: dict[str, str]) -> None:
    """Refuse a live programme that shows pretend data, and the other way round."""
    if (told["state"] == "demo") != release.demo:
        raise PageError("release/manifest.json: its state is not the programme's; run `dvc repro`")
