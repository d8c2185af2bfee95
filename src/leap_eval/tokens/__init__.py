"""Keyed field tokens: who a person is, without a name (see docs/decisions and the linkage page)."""

from leap_eval.tokens.forms import Person, columns
from leap_eval.tokens.keys import (
    Keys,
    family_id,
    family_key,
    key_id,
    load_keys,
    person_pseudonym,
    record_key,
    study_id,
)
from leap_eval.tokens.make import (
    at_rest,
    cells,
    from_canonical,
    rest,
    schema,
    to_canonical,
    token,
    tokenise,
)
from leap_eval.tokens.normalise import NORM_VERSION, birth_date, name, nhs_number, postcode, upn
from leap_eval.tokens.probes import SLIPS, Probe, probes
from leap_eval.tokens.rates import rates
from leap_eval.tokens.text import from_text, to_text

__all__ = [
    "NORM_VERSION",
    "SLIPS",
    "Keys",
    "Person",
    "Probe",
    "at_rest",
    "birth_date",
    "cells",
    "columns",
    "family_id",
    "family_key",
    "from_canonical",
    "from_text",
    "key_id",
    "load_keys",
    "name",
    "nhs_number",
    "person_pseudonym",
    "postcode",
    "probes",
    "rates",
    "record_key",
    "rest",
    "schema",
    "study_id",
    "to_canonical",
    "to_text",
    "token",
    "tokenise",
    "upn",
]
