"""Ten prompts of different cancers, in both layouts for real models, as they were read and judged."""

import pytest

from tests.prompts.clinic import SNAPSHOTS, clinic

CHARTS = clinic()


@pytest.mark.parametrize("template", ["full", "oncoraft"])
@pytest.mark.parametrize("name", CHARTS)
def test_the_prompt_reads_as_it_was_judged(name: str, template: str) -> None:
    file = SNAPSHOTS / f"{name}.{template}.txt"
    assert CHARTS[name].prompt(template) + "\n" == file.read_text(encoding="utf-8"), (
        "changed: read it, then run `python -m tests.prompts.clinic`"
    )


def test_nothing_of_the_chart_after_the_last_line_begins_is_told() -> None:
    chart = clinic()["lung-egfr-osimertinib"]
    before = chart.prompt("full")
    chart.scan(9, "Y", "Y", "Liver").ecog((8, 4)).marker("CEA", (8, 900.0)).line(200, "DOCETAXEL")
    chart.starts.pop()
    assert chart.prompt("full") == before


def test_there_is_a_snapshot_for_each_and_no_other() -> None:
    assert {file.name for file in SNAPSHOTS.glob("*.txt")} == {f"{name}.{kind}.txt" for name in CHARTS for kind in ("full", "oncoraft")}
    assert len(CHARTS) == 10
