"""Pages from `release/` only: blocks of a notebook become one page and one PDF per audience."""
