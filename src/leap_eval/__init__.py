"""leap-eval: the reproducible evaluation workspace of a children's partnership."""
