import re

from leap_eval.contracts import ALL
from leap_eval.pipeline.stages import STAGES


def glossary(root):
    words = re.findall(r"(?m)^\*\*(.+?)\*\*", (root / "GLOSSARY.md").read_text())
    return {part.strip() for word in words for part in re.split(r", | and ", word)} | set(words)


def test_every_stage_and_every_table_is_a_word_of_the_glossary(root):
    words = {word.rstrip("s") for word in glossary(root)}
    assert {
        name.rstrip("s") for name in [*(s.name for s in STAGES), *(c.name for c in ALL)]
    } <= words


def test_the_glossary_is_in_alphabetical_order(root):
    words = re.findall(r"(?m)^\*\*(.+?)\*\*", (root / "GLOSSARY.md").read_text())
    assert words == sorted(words, key=lambda w: w.casefold().replace("_", ""))


def test_the_readme_is_short_and_names_the_two_commands_and_all_eight_rooms(root):
    text = (root / "README.md").read_text()
    assert len(text.splitlines()) <= 80
    assert "make findings" in text
    assert "make test" in text
    assert all(f"{s.number:02d} {s.name}" in text for s in STAGES)


def test_every_file_the_readme_points_to_exists(root):
    text = (root / "README.md").read_text()
    places = re.findall(
        r"`((?:docs|notebooks|src|tests)/[^`]+|[\w.]+\.(?:yaml|md))`|\]\(([^)]+)\)", text
    )
    assert [p for pair in places for p in pair if p and not (root / p).exists()] == []


def test_every_command_the_readme_teaches_is_a_target_of_the_makefile(root):
    text, made = (root / "README.md").read_text(), (root / "Makefile").read_text()
    assert all(
        f"\n{target}:" in made for target in set(re.findall(r"make (findings|test|lab)\b", text))
    )


def test_every_decision_is_one_page_with_context_decision_and_consequences(root):
    for page in sorted((root / "docs/decisions").glob("*.md")):
        text = page.read_text()
        assert re.match(r"\d{4}-[a-z0-9-]+\.md", page.name)
        assert all(word in text for word in ("**Context.**", "**Decision.**", "**Consequences.**"))
        assert len(text.split()) <= 600


def test_nothing_but_a_checked_release_is_ever_called_anonymous(root):
    pages = [root / "README.md", root / "GLOSSARY.md", *sorted((root / "docs").rglob("*.md"))]
    assert [p.name for p in pages if "anonymous data" in p.read_text().lower()] == []
