from pathlib import Path

import pytest
import yaml

from leap_eval import tokens

KEYS = tokens.load_keys(None, "demo")
VECTORS = yaml.safe_load((Path(__file__).parent / "vectors/tokens-1.yaml").read_text("utf-8"))


@pytest.mark.requirement("R21")
def test_every_stored_vector_of_version_1_is_made_again_in_transit_and_at_rest():
    for kind, values, transit, kept in VECTORS:
        raw = tokens.token(KEYS.link, kind, *values)
        assert tokens.to_text("tk1", raw) == transit
        assert tokens.rest(KEYS.store, kind, raw).hex() == kept


def test_phonetics_of_accented_and_foreign_names_have_not_drifted_since_they_were_stored():
    zoe = tokens.tokenise([tokens.Person("Zoë", "O'Brien-Okafor", "2019-04-01")], KEYS.link, "AB")
    stored = {(kind, text) for kind, _, text, _ in VECTORS}
    for column, kind in (("fn_m", "name_m"), ("ln_x", "name_x"), ("fm_lm", "fm_lm")):
        assert (kind, tokens.to_text("tk1", zoe[column][0].as_py())) in stored
