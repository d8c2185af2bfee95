"""Sign-off: a release is frozen, signed by two different people, and only then exported."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import Any

from leap_eval.errors import DisclosureError
from leap_eval.store import ledger, totals
from leap_eval.store.files import root, write_bytes, write_text

SIGNATURES = 2


def carry_out(step: str, name: str, who: str, why: str) -> str:
    """Do one step of the sign-off, and say what is next."""
    content = _content()
    manifest = json.loads(content["manifest.json"])
    if manifest["name"] != name:
        raise DisclosureError(f"release {name}: release/ holds {manifest['name']}; name that one")
    frozen = _digest(content)
    if step == "request":
        _write(name, {"requested_by": who, "content": frozen, "signed": []})
        return f"{name} is frozen; two approvers now run `leap-eval release approve {name}`"
    told = _read(name)
    if told["content"] != frozen:
        raise DisclosureError(f"release {name}: changed since it was requested; request it again")
    return _approve(name, told, who, why) if step == "approve" else _export(name, told, content)


def _approve(name: str, told: dict[str, Any], who: str, why: str) -> str:
    if not why.strip():
        raise DisclosureError(f"release {name}: --why is empty; say what you looked at")
    if who == told["requested_by"] or who in {s["by"] for s in told["signed"]}:
        raise DisclosureError(
            f"release {name}: two different people must sign, neither the requester"
        )
    told["signed"].append({"by": who, "why": why})
    _write(name, told)
    left = SIGNATURES - len(told["signed"])
    return f"{name}: {left} signature missing" if left > 0 else f"{name} may be exported"


def _export(name: str, told: dict[str, Any], content: dict[str, bytes]) -> str:
    if len(told["signed"]) < SIGNATURES:
        raise DisclosureError(
            f"release {name}: {len(told['signed'])} of {SIGNATURES} signatures; nothing leaves"
        )
    signed = json.dumps(told, sort_keys=True, indent=1).encode() + b"\n"
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, data in sorted({**content, "signed.json": signed}.items()):
            archive.writestr(zipfile.ZipInfo(place, (1980, 1, 1, 0, 0, 0)), data)
    write_bytes(_home() / f"{name}.zip", buffer.getvalue())
    if name not in {line["name"] for line in totals.releases()}:
        ledger.append(_home() / "ledger.jsonl", "released", name=name, content=told["content"])
    return f"{_home().name}/{name}.zip: what may be carried out"


def _content() -> dict[str, bytes]:
    pages = sorted((root() / "release").glob("findings-*"))
    return totals.read_release() | {
        p.name: p.read_bytes() for p in pages if p.suffix in (".html", ".pdf")
    }


def _digest(content: dict[str, bytes]) -> str:
    told = "".join(f"{n} {hashlib.sha256(d).hexdigest()}\n" for n, d in sorted(content.items()))
    return hashlib.sha256(told.encode()).hexdigest()


def _home() -> Any:
    return root() / ".leap/releases"


def _read(name: str) -> dict[str, Any]:
    path = _home() / f"{name}.json"
    if not path.is_file():
        raise DisclosureError(
            f"release {name}: was not requested; run `leap-eval release request {name}`"
        )
    told: dict[str, Any] = json.loads(path.read_bytes())
    return told


def _write(name: str, told: dict[str, Any]) -> None:
    write_text(_home() / f"{name}.json", json.dumps(told, sort_keys=True, indent=1) + "\n")
