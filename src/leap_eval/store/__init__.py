"""The only reader and writer of files: `rows` for people, `totals` for aggregates."""

from leap_eval.store.files import root

__all__ = ["root"]
