"""Treatment so far: earlier lines with what imaging said, agents, radiation, surgery."""

from typing import Any

import pandas as pd

from oncoraft.evidence.evidence import collect
from tests.evidence.study import LUNG, cases, tables, texts


def line_history() -> tuple[dict[str, list[dict[str, Any]]], pd.DataFrame]:
    """Three lines on days 0, 200 and 400: a scan on day 14 of the first (too early), progression on day 150, clearance in the second."""
    treatment = [(0, "CARBOPLATIN"), (0, "PEMETREXED"), (200, "OSIMERTINIB"), (400, "DOCETAXEL")]
    rows = {
        "timeline_treatment": [{"patient_id": "P-0000001", "start_day": day, "agent": agent} for day, agent in treatment],
        "timeline_progression": [
            {"patient_id": "P-0000001", "start_day": day, "progression": verdict}
            for day, verdict in [(14, "Y"), (80, "N"), (150, "Y"), (300, "N"), (450, "Y")]
        ],
        "timeline_cancer_presence": [
            {"patient_id": "P-0000001", "start_day": day, "has_cancer": verdict} for day, verdict in [(80, "Y"), (300, "N")]
        ],
    }
    base = {"patient_id": "P-0000001", "cancer_type": LUNG}
    lines = [(0, ["CARBOPLATIN", "PEMETREXED"]), (200, ["OSIMERTINIB"]), (400, ["DOCETAXEL"])]
    listed = cases(
        *(base | {"index_day": day, "agents": agents, "line_of_therapy": number} for number, (day, agents) in enumerate(lines, 1))
    )
    return rows, listed


def test_earlier_lines_tell_what_imaging_said_while_they_lasted() -> None:
    rows, listed = line_history()
    found = collect(tables(**rows), listed, "sequenced", 3)
    prior = found[found["field"] == "prior_regimen"].groupby("case_id")["text"].agg(list).to_dict()
    first = "line 1, carboplatin + pemetrexed (begun {} days before treatment): progression on imaging on day 150"
    assert prior == {
        "P-0000001_+200": [first.format(200)],
        "P-0000001_+400": ["line 2, osimertinib (begun 200 days before treatment): no cancer seen on imaging", first.format(400)],
    }


def test_an_agent_of_an_earlier_line_that_began_after_the_index_date_is_not_named() -> None:
    rows, listed = line_history()
    rows["timeline_treatment"][1]["start_day"] = 205  # pemetrexed, of line 1 by the case list, began within the second line
    found = collect(tables(**rows), listed, "sequenced", 3)
    (text,) = found.loc[(found["field"] == "prior_regimen") & (found["case_id"] == "P-0000001_+200"), "text"]
    assert text.startswith("line 1, carboplatin (")


def test_radiation_and_surgery_count_days_and_leave_specimen_taking_out() -> None:
    radiation = [{"start_day": day} for day in (10, 10, 40, 70, 99)]
    assert texts("radiation", {"timeline_radiation": radiation}) == [
        "radiation therapy begun 4 times (the last 3: 1, 30, 60 days before treatment)"
    ]
    surgery = [{"start_day": 99, "subtype": "PROCEDURE"}, {"start_day": 50, "subtype": "SAMPLE"}]
    assert texts("surgery", {"timeline_surgery": surgery}) == ["surgery on one day (1 day before treatment)"]
