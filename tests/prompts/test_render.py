"""Prompts in the published format: layout, instruction, budget, and what the command refuses."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.answers import full_prompt
from oncoraft.evidence.evidence import collect
from oncoraft.foundation import ranges
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl
from oncoraft.prompts import build
from oncoraft.prompts import render as render_module
from oncoraft.prompts.budget import estimated_tokens
from oncoraft.prompts.render import Renderer, in_arrow, main, protein_change, render, statements_by_case
from tests.evidence.study import draw_study

TABLES, CASES = draw_study(8, seed=9)
EVIDENCE = collect(TABLES, CASES, "acquired", 3)
# Field names and order of the published example.
PUBLISHED = [
    "Patient ID:",
    "Drug(s):",
    "Drug Information",
    "Description:",
    "Mechanism of Action:",
    "Clinical and Diagnosis Information",
    "Gender:",
    "Age:",
    "Race:",
    "Ethnicity:",
    "Smoking History:",
    "Stage (Highest Recorded):",
    "Prior Medication Status:",
    "Prior Treatments:",
    "Diagnosis:",
    "Clinical Group:",
    "Pathological Group:",
    "Derived Stage:",
    "Summary:",
    "PD-L1 Positive:",
    "Sample and Genetic Profile",
    "Sample ID:",
    "Cancer type:",
    "Cancer Type Detailed:",
    "Primary Site:",
    "Sample Type:",
    "MSI Comment:",
    "MSI Score:",
    "MSI Type:",
    "TMB (nonsynonymous):",
    "Genetic Mutations:",
    "Structural Variants:",
]


def prompts(template: str, budget: int = 3072) -> dict[str, dict[str, object]]:
    return {row["case_id"]: row for row in render(EVIDENCE, Renderer(template), budget, estimated_tokens)}


def test_rows_have_the_published_keys_and_the_published_concatenation() -> None:
    for row in prompts("full").values():
        assert list(row) == ["case_id", "instruction", "input", "output", "prompt_tokens", "cut"]
        assert row["output"] == ""
        text = full_prompt(str(row["instruction"]), str(row["input"]))
        assert text == f"{row['instruction']}\n\n{row['input']}\n\nAnswer:\n"
        assert row["prompt_tokens"] == estimated_tokens([text])[0]


def test_the_published_layout_has_its_fields_in_order_where_something_is_known() -> None:
    seen = set()
    for row in prompts("oncoraft").values():
        text = str(row["input"])
        places = {name: place.start() for name in PUBLISHED if (place := re.search(rf"^{re.escape(name)}", text, re.M))}
        assert list(places.values()) == sorted(places.values())
        assert {"Patient ID:", "Drug(s):", "Smoking History:", "Cancer type:"} <= set(places)
        assert "\n\n\n" not in text
        assert re.fullmatch(
            r"(Yes|No) \((\d+ days?|1 day) before treatment\)",
            text.partition("PD-L1 Positive: ")[2].split("\n")[0] or "No (1 day before treatment)",
        )
        assert re.search(r"^Age: \d5\.0$", text, re.M)
        seen |= set(places)
    assert set(PUBLISHED) - seen <= {"MSI Comment:", "Pathological Group:", "Summary:"}  # nowhere in this study


def test_the_published_layout_names_no_person_and_has_no_line_for_what_is_not_known() -> None:
    blank = collect({name: rows.head(0) for name, rows in TABLES.items()}, CASES.head(1), "sequenced", 3)
    (row,) = render(blank, Renderer("oncoraft"), 3072, estimated_tokens)
    text = str(row["input"])
    assert "Patient ID: withheld" in text
    assert [line for line in text.splitlines() if "Unknown" in line or "Not sequenced" in line] == [
        "Smoking History: Unknown"
    ]  # for all alike
    assert not re.search(r"^(?:Genetic|Structural|Prior Treatments|TMB|MSI|Stage|Age)", text, re.M)
    assert all(line.split(": ")[1] for line in text.splitlines() if ": " in line)


def test_a_field_that_the_budget_took_has_no_line_in_the_published_layout() -> None:
    longest = max(prompts("oncoraft").values(), key=lambda row: int(str(row["prompt_tokens"])))
    tight = prompts("oncoraft", int(str(longest["prompt_tokens"])) - 3)
    cut = next(row for row in tight.values() if row["cut"])
    assert str(cut["cut"][0]) == "ethnicity"  # type: ignore[index]
    assert "Ethnicity:" not in str(cut["input"])
    assert "Ethnicity:" in str(next(row for row in prompts("oncoraft").values() if row["case_id"] == cut["case_id"])["input"])


@pytest.mark.parametrize("template", ["full", "oncoraft", "compact"])
def test_every_budget_is_kept_and_what_was_cut_is_recorded(template: str) -> None:
    whole = prompts(template)
    for share in (0.95, 0.8):
        budget = int(share * max(int(str(row["prompt_tokens"])) for row in whole.values()))
        for case_id, row in prompts(template, budget).items():
            assert int(str(row["prompt_tokens"])) <= budget
            assert bool(row["cut"]) == (int(str(whole[case_id]["prompt_tokens"])) > budget)
            assert not set(row["cut"]) & {"drug", "cancer_type", "mutation", "copy_number", "structural_variant", "msi", "tmb"}  # type: ignore[call-overload]


def test_every_statement_stands_in_the_full_prompt_and_sections_in_their_order() -> None:
    found = prompts("full")
    for case_id, statements in (pair for part in statements_by_case(EVIDENCE) for pair in part.items()):
        text = str(found[case_id]["input"]).lower()
        assert all(item.text.lower() in text for item in statements if item.field not in {"diagnosis", "msi_comment", "tmb_value", "organ"})
        titles = [line for line in str(found[case_id]["input"]).splitlines() if line and not line.startswith("- ")]
        order = [
            "Treatment about to start",
            "Diagnosis",
            "Patient",
            "Disease status",
            "Treatment so far",
            "Biomarkers",
            "Sequenced specimen",
            "Genomics",
        ]
        assert titles == [title for title in order if title in titles]


def test_mutations_are_written_in_the_notation_of_the_published_layout() -> None:
    assert protein_change("EGFR E746_A750del") == "EGFR p.E746_A750del"
    assert protein_change("TERT") == "TERT"


def test_a_users_instruction_replaces_ours_and_an_empty_one_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "instruction.txt"
    own.write_text("  Judge this case.\n")
    assert Renderer("oncoraft", own).instruction == "Judge this case."
    own.write_text(" \n")
    with pytest.raises(InputError, match=r"prompts\.instruction_file: expected an instruction, found an empty file"):
        Renderer("full", own)
    with pytest.raises(InputError, match=r"prompts\.instruction_file: expected a readable text file"):
        Renderer("full", tmp_path / "none.txt")
    own.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="expected a readable text file"):
        Renderer("full", own)


def test_render_and_the_call_that_does_both_write_the_same_prompts(tmp_path: Path) -> None:
    for name, rows in TABLES.items():
        rows.to_parquet(tmp_path / f"{name}.parquet")
    pd.DataFrame({"table": []}).to_parquet(tmp_path / "ledger.parquet")
    CASES.to_parquet(tmp_path / "cases.parquet")
    EVIDENCE.to_parquet(tmp_path / "evidence.parquet")
    own = tmp_path / "instruction.txt"
    own.write_text("Judge.")
    settings = {"prompts": {"template": "oncoraft", "token_budget": 100, "instruction_file": str(own)}}
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    with pytest.raises(InputError, match=r"token_budget: \d+ cases need more tokens"):
        main([str(tmp_path / "evidence.parquet"), str(tmp_path), "--out", str(first), "--settings", json.dumps(settings)])
    assert not first.exists()
    settings["prompts"]["token_budget"] = 400
    assert main([str(tmp_path / "evidence.parquet"), str(tmp_path), "--out", str(first), "--settings", json.dumps(settings)]) == 0
    both = settings | {"evidence": {"genomics_known": "acquired"}}
    assert build.main([str(tmp_path), str(tmp_path), "--out", str(second), "--settings", json.dumps(both)]) == 0
    assert first.read_bytes() == second.read_bytes()
    manifest = json.loads((tmp_path / "a.jsonl.manifest.json").read_text())
    assert "instruction.txt" in manifest["inputs"]
    assert manifest["counts"]["prompts"] == len(CASES)
    assert sum(manifest["counts"]["statements_cut"].values()) == sum(len(row["cut"]) for row in read_jsonl(first))


def test_a_case_without_evidence_and_a_broken_line_are_named(tmp_path: Path) -> None:
    CASES.to_parquet(tmp_path / "cases.parquet")
    EVIDENCE[EVIDENCE["case_id"] != CASES["case_id"].iloc[3]].to_parquet(tmp_path / "evidence.parquet")
    with pytest.raises(InputError, match="expected evidence of every case; 1 have none, the first P-"):
        main([str(tmp_path / "evidence.parquet"), str(tmp_path), "--out", str(tmp_path / "p.jsonl")])
    (tmp_path / "bad.jsonl").write_text('{"case_id": "a"}\n{oops\n')
    with pytest.raises(InputError, match=r"bad\.jsonl, line 2: expected a JSON object"):
        read_jsonl(tmp_path / "bad.jsonl")


def test_the_compact_template_names_what_a_bare_word_would_leave_open() -> None:
    breast = EVIDENCE[EVIDENCE["field"].isin(["her2", "hormone_receptor"])]
    found = prompts("compact")
    assert len(breast)
    for case_id, text in zip(breast["case_id"], breast["text"]):
        assert text in str(found[case_id]["input"])  # "HER2 negative", never "negative" alone


def test_how_many_patients_are_in_a_range_changes_no_byte_and_no_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    EVIDENCE.to_parquet(tmp_path / "evidence.parquet", index=False)
    CASES.to_parquet(tmp_path / "cases.parquet")
    words = [str(tmp_path / "evidence.parquet"), str(tmp_path), "--out", str(tmp_path / "prompts.jsonl"), "--settings"]
    written, refused = set(), set()
    for patients in (1, 7, 10**9):
        monkeypatch.setattr(ranges, "PATIENTS", patients)
        assert main([*words, json.dumps({"prompts": {"token_budget": 900}})]) == 0
        written.add((tmp_path / "prompts.jsonl").read_bytes() + (tmp_path / "prompts.jsonl.manifest.json").read_bytes())
        with pytest.raises(InputError) as caught:
            main([*words, json.dumps({"prompts": {"token_budget": 300}})])
        refused.add(str(caught.value))
    assert len(written) == len(refused) == 1
    assert len((tmp_path / "prompts.jsonl").read_text(encoding="utf-8").splitlines()) == len(CASES)
    assert "19 cases need more tokens" in refused.pop()


def test_evidence_of_a_case_that_is_not_in_the_list_is_refused(tmp_path: Path) -> None:
    EVIDENCE.to_parquet(tmp_path / "evidence.parquet", index=False)
    CASES.iloc[1:].to_parquet(tmp_path / "cases.parquet")
    with pytest.raises(InputError, match=r"expected evidence of cases of the case list alone; 1 are not in it, the first P-"):
        main([str(tmp_path / "evidence.parquet"), str(tmp_path), "--out", str(tmp_path / "prompts.jsonl")])


@pytest.mark.parametrize("template", ["full", "compact"])
def test_sections_found_for_all_cases_at_once_are_those_of_every_case_alone(template: str, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = EVIDENCE.copy()
    # Statements of listed fields apart from one another, values without words, and a section that holds nothing but what is not shown.
    odd = odd.sample(frac=1.0, random_state=5).sort_values("case_id", kind="stable", ignore_index=True)
    odd = odd[odd["field"] != "drug_mechanism"].reset_index(drop=True)  # is taken apart for the published layout, and always has words
    odd.loc[odd.index % 7 == 0, "text"] = ""
    silent = odd[odd["case_id"] == odd["case_id"].iloc[0]].assign(case_id="A-silent", text="")
    hidden = odd.head(1).assign(case_id="B-hidden", section="specimen", field="organ", text="Lung")
    # A letter that two stand for in capitals, one of another script, a dash and a new line within a text.
    odd["text"] = (
        odd["text"]
        .str.replace("^e", "\N{LATIN SMALL LETTER SHARP S}", regex=True)
        .str.replace("^m", "\N{GREEK SMALL LETTER MU}", regex=True)
    )
    odd.loc[odd.index % 11 == 0, "text"] += "\n- so"
    odd = pd.concat([silent, hidden, odd], ignore_index=True)
    renderer = Renderer(template)
    assert renderer.is_of_sections
    assert not Renderer("oncoraft").is_of_sections
    alone = {case_id: renderer.input_text(told) for part in statements_by_case(odd) for case_id, told in part.items()}
    for cases in (1, 3, 10**6):
        monkeypatch.setattr(render_module, "CHUNK", cases)
        assert renderer.texts(in_arrow(odd)) == alone
    empty = ("", "Sequenced specimen") if template == "full" else ("How likely is a response to this treatment?",) * 2
    assert (alone["A-silent"], alone["B-hidden"]) == empty
    assert any("\n- so" in text for text in alone.values())
