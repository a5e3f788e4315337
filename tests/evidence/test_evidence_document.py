"""`docs/evidence.md` agrees with the allow-list."""

from oncoraft.evidence.evidence_document import PAGE, evidence_document
from oncoraft.evidence.fields import FIELDS


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == evidence_document(), "out of date: run `python -m oncoraft.evidence.evidence_document`"


def test_every_field_has_its_row_with_source_and_rule() -> None:
    page = evidence_document()
    for field in FIELDS:
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{field.name}` |")]
        assert all(f"`{source}`" in row for source in field.sources)
        assert field.known.replace("_", " ") in row
