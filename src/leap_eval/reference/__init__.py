"""Code lists and wordings: facts of the field, no logic of a step."""
