"""The release crate: a signed release with its provenance as RO-Crate 1.3, in the Five Safes."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from leap_eval.agreements import Agreement, Programme
from leap_eval.disclosure import signoff
from leap_eval.errors import DisclosureError
from leap_eval.pipeline.provenance import Commit

Entity = dict[str, Any]
CONTEXT = "https://w3id.org/ro/crate/1.3/context"
DESCRIPTOR = "ro-crate-metadata.json"
SHP = "https://w3id.org/shp#"  # the terms of the Five Safes profile
DONE = "http://schema.org/CompletedActionStatus"
FORMATS = {
    ".csv": "text/csv", ".html": "text/html", ".json": "application/json",
    ".pdf": "application/pdf",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Origin:
    """What a crate says beside the release: its commit, its terms and the software."""

    commit: Commit
    programme: Programme
    agreements: Mapping[str, Agreement]
    version: str


def crate(files: Mapping[str, bytes], asked: signoff.Asked, origin: Origin) -> bytes:
    """Return a signed release as a crate: the same files and the story of where they come from.

    Refused is a release whose files are not those that the commit's dvc.lock lists.
    """
    strange = [
        place
        for place, data in files.items()
        if place != signoff.SIGNED and f"release/{place}" not in origin.commit.calls(data)
    ]
    if strange:
        raise DisclosureError(
            f"release {asked.name}: {', '.join(strange)} not as in the committed dvc.lock; check "
            "out the commit of the release, or request it again"
        )
    manifest = json.loads(files["manifest.json"])
    graph = [
        *_root(manifest, origin, files),
        *_files(manifest, files),
        *_project(origin),
        *_data(origin),
        *_run(manifest, origin),
        *_checks(manifest, asked),
    ]
    body = json.dumps({"@context": CONTEXT, "@graph": graph}, indent=1, ensure_ascii=False)
    return signoff.zipped({**files, DESCRIPTOR: body.encode() + b"\n"})


def _ref(*names: str) -> list[dict[str, str]]:
    return [{"@id": name} for name in names]


def _entity(name: str, kind: str, words: str, **more: Any) -> Entity:
    return {"@id": name, "@type": kind, "name": words, **more}


def _root(
    manifest: Mapping[str, Any], origin: Origin, files: Mapping[str, bytes]
) -> Iterator[Entity]:
    yield _entity(
        DESCRIPTOR, "CreativeWork", "What this crate holds", about={"@id": "./"},
        conformsTo={"@id": CONTEXT.removesuffix("/context")},
    )  # fmt: skip
    pretend = "; pretend data: no real child" if manifest["state"] == "demo" else ""
    yield _entity(
        "./", "Dataset", f"Release {manifest['name']}",
        description=f"Checked tables and findings pages, as at {manifest['as_at']}{pretend}.",
        datePublished=origin.commit.on, license={"@id": "#terms"}, publisher={"@id": "#project"},
        hasPart=_ref(*sorted(files)),
        mentions=_ref("#run", "#disclosure-check", "#sign-off-1", "#sign-off-2"),
    )  # fmt: skip
    yield _entity(
        "#terms", "CreativeWork", "Terms of passing on",
        description="May be passed on whole, with its sign-off; nobody may try to find a child.",
    )  # fmt: skip


def _files(manifest: Mapping[str, Any], files: Mapping[str, bytes]) -> Iterator[Entity]:
    tables = {o["file"]: o for o in manifest["outputs"]}
    names = {"manifest.json": "Manifest of the release", signoff.SIGNED: "Who judged it, and how"}
    for place, data in sorted(files.items()):
        path = PurePosixPath(place)
        told = {
            "encodingFormat": FORMATS[path.suffix],
            "contentSize": str(len(data)),
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        if table := tables.get(place):
            told["description"] = (
                f"{table['cells']} cells, {table['withheld']} withheld; for "
                f"{', '.join(table['audience'])}; {table['why']}"
            )
        words = table["title"] if table else names.get(place, f"Page {path.stem}")
        yield _entity(place, "File", words, **told)


def _project(origin: Origin) -> Iterator[Entity]:
    """Safe projects and safe settings."""
    terms = origin.programme
    purposes = [p.id for p in terms.purposes]
    yield _entity(
        "#project", "Project", "The evaluated programme",
        description=f"{terms.starts} to {terms.ends}; purposes and their last day in knowsAbout.",
        knowsAbout=_ref(*(f"#purpose-{p}" for p in purposes)), location={"@id": "#setting"},
    )  # fmt: skip
    for purpose in terms.purposes:
        yield _entity(
            f"#purpose-{purpose.id}", "DefinedTerm", purpose.text, termCode=purpose.id,
            description=f"until {purpose.until}",
        )  # fmt: skip
    yield _entity(
        "#setting", "Place", "The workspace",
        description=f"State {terms.state}; stages run without a network, rows never leave it.",
    )  # fmt: skip


def _data(origin: Origin) -> Iterator[Entity]:
    """Safe data: agreements and versions; no digest of a row's file."""
    for partner, terms in sorted(origin.agreements.items()):
        yield _entity(
            f"#data-{partner}", "Dataset", f"What {terms.controller.name} shares",
            version=str(terms.version), conditionsOfAccess="never leaves the workspace",
            temporalCoverage=f"{terms.term.starts}/{terms.term.ends}",
        )  # fmt: skip


def _run(manifest: Mapping[str, Any], origin: Origin) -> Iterator[Entity]:
    commit = origin.commit
    facts = {
        "plan": manifest["plan_hash"],
        "rules": manifest["rules_hash"],
        "dvc.lock": commit.lock,
        "requirements.lock": manifest["lock_hash"],
    }
    yield _entity(
        "#run", "CreateAction", "dvc repro", instrument={"@id": "#software"},
        object=_ref(*(f"#data-{p}" for p in sorted(origin.agreements))), result={"@id": "./"},
        actionStatus=DONE, agent={"@id": "#analyst"},
    )  # fmt: skip
    yield _entity(
        "#software", "SoftwareApplication", "leap-eval", softwareVersion=origin.version,
        version=commit.id, identifier=_ref(*(f"#sha256-{name}" for name in facts)),
        description="version is the commit whose dvc.lock lists every file of this release",
    )  # fmt: skip
    for name, digest in facts.items():
        yield _entity(
            f"#sha256-{name}", "PropertyValue", f"sha256 of the {name}", propertyID="sha256",
            value=digest,
        )  # fmt: skip
    yield _entity("#analyst", "Person", "analyst", description="ran it, and asked for the release")


def _checks(manifest: Mapping[str, Any], asked: signoff.Asked) -> Iterator[Entity]:
    """Safe outputs and safe people: what the gate proved, and what two people said; no names."""
    tables = _ref(*sorted(o["file"] for o in manifest["outputs"]))
    attackers = sorted({a for o in manifest["outputs"] for a in o["certificate"]["attackers"]})
    yield _entity(
        "#disclosure-check", "AssessAction", "Disclosure check by the gate, verified on export",
        additionalType={"@id": f"{SHP}DisclosureCheck"}, actionStatus=DONE, object=tables,
        instrument={"@id": "#software"}, description="; ".join(attackers),
    )  # fmt: skip
    for number, decision in enumerate(asked.decisions, start=1):
        verdicts = Counter(said["verdict"] for said in decision["outputs"].values())
        counts = ", ".join(f"{verdicts[v]} {v}" for v in signoff.ORDER)
        yield _entity(
            f"#sign-off-{number}", "AssessAction", f"Sign-off {number}: {counts}",
            additionalType={"@id": f"{SHP}SignOff"}, actionStatus=DONE, object={"@id": "./"},
            agent={"@id": f"#approver-{number}"}, instrument={"@id": signoff.SIGNED},
        )  # fmt: skip
        yield _entity(
            f"#approver-{number}", "Person", f"approver {number}",
            description="judged every output; not who asked, and not the other approver",
        )  # fmt: skip
