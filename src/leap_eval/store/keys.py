"""The project key, for the one stage that names people."""

from __future__ import annotations

import os
from pathlib import Path

from leap_eval.agreements import load_programme
from leap_eval.store.files import root
from leap_eval.tokens import load_keys


def project_key() -> bytes:
    """Return the key of study_ids and family_ids; the public demo key in state demo alone."""
    place = os.environ.get("LEAP_KEYS")
    state = load_programme(root()).state
    return load_keys(Path(place) if place else None, state, ("project",)).project
