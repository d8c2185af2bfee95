"""Strict reading of the terms: every finding at once, as place, rule, remedy."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from leap_eval.agreements.agreement import Agreement, Terms
from leap_eval.agreements.people import People
from leap_eval.agreements.programme import Programme
from leap_eval.errors import AgreementError, LeapError, SettingsError
from leap_eval.settings.params import read_yaml

Model = TypeVar("Model", bound=Terms)


def _load(path: Path, place: str, model: type[Model], error: type[LeapError]) -> Model:
    raw = read_yaml(path.read_text(encoding="utf-8"), place)
    if not isinstance(raw, dict):
        raise error(f"{place}: must be a mapping of keys")
    lines: list[str] = []
    try:
        return model.model_validate(raw)
    except ValidationError as broken:
        lines = [
            f"{'.'.join(map(str, e['loc'])) or 'whole'}: {e['msg']}"
            for e in broken.errors(include_input=False)
        ]
    raise error("\n  ".join([f"{place}:", *lines]))


def load_programme(root: Path) -> Programme:
    """Read programme.yaml."""
    path = root / "programme.yaml"
    if not path.is_file():
        raise SettingsError("programme.yaml: is not there; restore it from git")
    return _load(path, "programme.yaml", Programme, SettingsError)


def load_people(root: Path) -> People:
    """Read people.yaml."""
    path = root / "people.yaml"
    if not path.is_file():
        raise SettingsError("people.yaml: is not there; restore it from git")
    return _load(path, "people.yaml", People, SettingsError)


def load_agreement(root: Path, partner: str) -> Agreement:
    """Read agreements/PARTNER.yaml; an unknown partner is told which there are."""
    path = root / "agreements" / f"{partner}.yaml"
    known = sorted(p.stem for p in (root / "agreements").glob("*.yaml"))
    if partner not in known:
        raise AgreementError(
            f"agreements/: no agreement of that name; there are {', '.join(known) or 'none'}; "
            "make one first"
        )
    told = _load(path, f"agreements/{partner}.yaml", Agreement, AgreementError)
    if told.partner != partner:
        raise AgreementError(f"agreements/{partner}.yaml: partner must be the file's name")
    return told


def load_agreements(root: Path) -> dict[str, Agreement]:
    """Read all agreements, by partner, in alphabetical order."""
    names = sorted(p.stem for p in (root / "agreements").glob("*.yaml"))
    return {name: load_agreement(root, name) for name in names}
