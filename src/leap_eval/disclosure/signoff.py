"""Sign-off: a release is frozen, judged output by output by two people, and only then exported."""

from __future__ import annotations

import difflib
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leap_eval.errors import DisclosureError
from leap_eval.settings.params import read_yaml
from leap_eval.store import archive, totals

SIGNATURES = 2
SIGNED = "signed.json"  # who asked and who judged, beside the files in the zip
ORDER = {"pass": 0, "review": 1, "fail": 2}
FIXED = (1980, 1, 1, 0, 0, 0)  # what a zip says where it must say a time
WHY_CHARACTERS = 400


class Decision(BaseModel):
    """What an approver says of one output."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verdict: str = Field(pattern="^(pass|review|fail)$")
    why: str = Field(default="", max_length=WHY_CHARACTERS)


@dataclass(frozen=True, slots=True)
class Asked:
    """A frozen release as an approver meets it: outputs with verdicts, and decisions so far."""

    name: str
    requested_by: str
    content: str
    outputs: tuple[Mapping[str, Any], ...]
    prose: tuple[str, ...] = ()  # the words between the blocks of the pages
    decisions: tuple[Mapping[str, Any], ...] = ()

    def told(self) -> dict[str, Any]:
        """Return the request as it is filed, and later stands in the zip."""
        return {
            "name": self.name,
            "requested_by": self.requested_by,
            "content": self.content,
            "outputs": list(self.outputs),
            "prose": list(self.prose),
            "decisions": list(self.decisions),
        }


def request(name: str, who: str) -> Asked:
    """Freeze manifest, tables and pages of release/, and ask two others to judge them."""
    content = _content(name)
    manifest = json.loads(content["manifest.json"])
    outputs = tuple({k: o[k] for k in ("id", "verdict", "sha256")} for o in manifest["outputs"])
    asked = Asked(name, who, _digest(content), outputs, tuple(archive.prose()))
    archive.write_request(name, asked.told())
    return asked


def opened(name: str) -> Asked:
    """Return the request of this name, or refuse it where a byte has changed since."""
    asked = _asked(archive.read_request(name))
    if _digest(_content(name)) != asked.content:
        raise DisclosureError(f"release {name}: changed since it was requested; request it again")
    return asked


def _asked(told: Mapping[str, Any]) -> Asked:
    return Asked(
        told["name"], told["requested_by"], told["content"], tuple(told["outputs"]),
        tuple(told["prose"]), tuple(told["decisions"]),
    )  # fmt: skip


def exported(name: str) -> tuple[dict[str, bytes], Asked]:
    """Return the files of NAME.zip and who judged them; refuse what the ledger did not let out."""
    with zipfile.ZipFile(io.BytesIO(archive.read_export(name))) as told:
        files = {place: told.read(place) for place in told.namelist()}
    rest = {place: data for place, data in files.items() if place != SIGNED}
    said = {(line["name"], line["content"]): line["decisions"] for line in archive.lines()}
    asked = _asked(json.loads(files[SIGNED])) if SIGNED in files else None
    if asked is None or said.get((name, _digest(rest))) != list(asked.decisions):
        raise DisclosureError(f"{name}.zip: is not what was signed; export the release again")
    return files, asked


def changed(asked: Asked) -> dict[str, str]:
    """Return, by output, whether it is new, changed or the same since the last release."""
    past = [line for line in archive.lines() if line["name"] != asked.name]
    files = past[-1]["files"] if past else {}
    old = {place.removeprefix("tables/").removesuffix(".csv"): h for place, h in files.items()}
    words = {
        o["id"]: "same" if old.get(o["id"]) == o["sha256"] else "changed" for o in asked.outputs
    }
    return {output: word if output in old else "new" for output, word in words.items()}


def prose_changed(asked: Asked) -> list[str]:
    """Return the difference of the pages' prose to that of the last release, line by line."""
    past = [line["name"] for line in archive.lines() if line["name"] != asked.name]
    old = archive.read_request(past[-1])["prose"] if past else []
    before, now = ("\n".join(p).splitlines() for p in (old, asked.prose))
    told = difflib.unified_diff(before, now, "last release", asked.name, lineterm="", n=0)
    return list(told)


def read_decisions(text: str, place: str) -> dict[str, Decision]:
    """Read OUTPUT: {verdict, why} from YAML; each complaint names its output."""
    raw, lines = read_yaml(text, place), list[str]()
    if not isinstance(raw, dict) or not raw:
        raise DisclosureError(
            f"{place}: must hold OUTPUT: {{verdict: ..., why: ...}} for each output"
        )
    made: dict[str, Decision] = {}
    for output, told in raw.items():
        try:
            made[str(output)] = Decision.model_validate(told)
        except ValidationError:
            lines.append(f"{output}: verdict is pass, review or fail; why is a short sentence")
    if lines:
        raise DisclosureError("\n  ".join([f"{place}:", *lines]))
    return made


def decide(asked: Asked, who: str, decisions: Mapping[str, Decision], signature: str = "") -> Asked:
    """File one person's decisions on every output; nobody judges twice, or what they asked for."""
    if who == asked.requested_by or who in {d["by"] for d in asked.decisions}:
        raise DisclosureError(
            f"release {asked.name}: two different people must judge it, neither the requester"
        )
    lines = []
    machine = {o["id"]: o["verdict"] for o in asked.outputs}
    if missing := sorted(set(machine) ^ set(decisions)):
        lines.append(f"{', '.join(missing)}: every output needs one decision, and no other has one")
    for output, said in decisions.items():
        verdict = machine.get(output, "pass")
        if verdict == "fail" and said.verdict != "fail":
            lines.append(f"{output}: the machine says fail, which nobody can lift")
        if (said.verdict != "pass" or verdict != "pass") and not said.why.strip():
            lines.append(f"{output}: needs a reason; say what you looked at")
    if lines:
        raise DisclosureError("\n  ".join([f"release {asked.name}:", *lines]))
    filed = {
        "by": who,
        "outputs": {k: d.model_dump() for k, d in sorted(decisions.items())},
        "signature": signature,
    }
    done = replace(asked, decisions=(*asked.decisions, filed))
    archive.write_request(asked.name, done.told())
    return done


def ready(asked: Asked) -> None:
    """Refuse what two people have not judged, or what one of them failed."""
    if len(asked.decisions) < SIGNATURES:
        raise DisclosureError(
            f"release {asked.name}: {len(asked.decisions)} of {SIGNATURES} people have judged it; "
            "nothing leaves"
        )
    if lowered := sorted(_lowered(asked)):
        raise DisclosureError(
            f"release {asked.name}: {', '.join(lowered)} failed in the eyes of an approver; leave "
            "it out in stage 07 and request again"
        )


def export(asked: Asked) -> str:
    """Write NAME.zip, append the ledger and move release.head; say where the zip lies."""
    ready(asked)
    content = _content(asked.name)
    signed = json.dumps(asked.told(), sort_keys=True, indent=1).encode() + b"\n"
    place = archive.write_export(asked.name, zipped({**content, SIGNED: signed}))
    manifest = hashlib.sha256(content["manifest.json"]).hexdigest()
    archive.record(asked.name, manifest, asked.content, [dict(d) for d in asked.decisions])
    return place


def _lowered(asked: Asked) -> set[str]:
    """Return outputs that show something although a person failed them."""
    machine = {o["id"]: o["verdict"] for o in asked.outputs}
    return {
        output
        for told in asked.decisions
        for output, said in told["outputs"].items()
        if ORDER[said["verdict"]] == ORDER["fail"] and machine[output] != "fail"
    }


def zipped(content: Mapping[str, bytes]) -> bytes:
    """Return a zip of these files: sorted, one fixed time, the same bytes each time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for place, data in sorted(content.items()):
            entry = zipfile.ZipInfo(place, FIXED)
            entry.compress_type = zipfile.ZIP_DEFLATED
            file.writestr(entry, data)
    return buffer.getvalue()


def _content(name: str) -> dict[str, bytes]:
    content = totals.read_release() | archive.read_pages()
    holds = json.loads(content["manifest.json"])["name"]
    if holds != name:
        raise DisclosureError(f"release {name}: release/ holds {holds}; name that one")
    return content


def _digest(content: Mapping[str, bytes]) -> str:
    told = "".join(f"{n} {hashlib.sha256(d).hexdigest()}\n" for n, d in sorted(content.items()))
    return hashlib.sha256(told.encode()).hexdigest()
