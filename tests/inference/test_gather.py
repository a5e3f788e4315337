"""Every held-out case exactly once, from the fold that holds it out; anything else is named."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oncoraft.foundation.errors import InputError
from oncoraft.inference import gather


def prediction(case_id: str, fold: int = 0, logit: float = 0.5) -> dict[str, Any]:
    return {
        "case_id": case_id,
        "patient_id": case_id[0],
        "fold": fold,
        "logit": logit,
        "score": 1 / (1 + math.exp(-logit)),
        "rationale": None,
        "score_from_text": None,
        "finish_reason": "not_sampled",
    }


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[list[Path], list[Path], Path]:
    """Two folds of two cases, a shard each."""
    shards = [write(tmp_path / "s0.jsonl", [prediction("d"), prediction("a")]), write(tmp_path / "s1.jsonl", [prediction("b", 1)])]
    shards.append(write(tmp_path / "s2.jsonl", [prediction("c", 1)]))
    held_out = [write(tmp_path / f"h{fold}.jsonl", [{"case_id": case, "fold": fold} for case in ("ad", "bc")[fold]]) for fold in (0, 1)]
    return shards, held_out, tmp_path / "predictions.jsonl"


def joined(shards: list[Path], held_out: list[Path], out: Path) -> list[str]:
    assert gather.main([*map(str, shards), "--heldout", *map(str, held_out), "--out", str(out)]) == 0
    return out.read_text().splitlines()


def test_lines_are_joined_as_they_are_sorted_by_case(files: tuple[list[Path], list[Path], Path]) -> None:
    shards, held_out, out = files
    lines = joined(shards, held_out, out)
    assert [json.loads(line)["case_id"] for line in lines] == ["a", "b", "c", "d"]
    assert sorted(lines) == sorted(line for shard in shards for line in shard.read_text().splitlines())
    assert lines == joined(shards[::-1], held_out[::-1], out)
    assert json.loads(Path(f"{out}.manifest.json").read_text())["counts"]["cases"] == 4


def spoilt(change: Callable[[dict[str, Any]], Any]) -> Callable[[list[Path], list[Path]], None]:
    """Change the first prediction of the first shard."""

    def spoil(shards: list[Path], _: list[Path]) -> None:
        rows = [json.loads(line) for line in shards[0].read_text().splitlines()]
        change(rows[0])
        write(shards[0], rows)

    return spoil


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda shards, _: shards.pop(), "case c has no prediction (1 such cases)"),
        (lambda shards, _: shards.append(write(shards[0].with_name("x.jsonl"), [prediction("a")])), "case a is predicted more than once"),
        (lambda shards, _: shards.append(write(shards[0].with_name("x.jsonl"), [prediction("z")])), "case z is predicted but not held out"),
        (lambda shards, _: shards.append(shards[0]), "s0.jsonl: expected every file once"),
        (
            lambda _, held_out: held_out.append(write(held_out[0].with_name("x"), [{"case_id": "a", "fold": 0}])),
            "is held out more than once",
        ),
        (spoilt(lambda row: row.update(fold=1)), "s0.jsonl, line 1, column fold: expected the prediction of case d from fold 0"),
        (spoilt(lambda row: row.update(fold="0")), "column fold"),
        (spoilt(lambda row: row.update(score=0.9)), "s0.jsonl, line 1, column score: expected the sigmoid of the logit, 0.622459"),
        (spoilt(lambda row: row.update(logit=float("nan"))), "column logit: expected a finite number, found 'nan'"),
        (spoilt(lambda row: row.update(logit=None)), "column logit: expected a finite number, found 'None'"),
        (
            lambda _, held_out: write(held_out[0], [{"case_id": case, "fold": 0, "patient_id": "p"} for case in "ad"]),
            "s0.jsonl, line 1, column patient_id: expected 'p', the patient of case d, found 'd'",
        ),
        (spoilt(lambda row: row.update(patient_id=71)), "s0.jsonl, line 1, column patient_id: expected text"),
        (spoilt(lambda row: row.pop("rationale")), "column rationale: expected this column"),
        (spoilt(lambda row: row.update(finish_reason="eos")), "expected one of stop, length, not_sampled, found 'eos'"),
        (lambda shards, _: shards[1].write_text('{"case_id": "b", '), "s1.jsonl, line 1: expected a JSON object"),
        (lambda shards, _: shards[1].write_text("[1]\n"), "s1.jsonl, line 1: expected a JSON object"),
        (lambda shards, _: shards[1].unlink(), "s1.jsonl: expected a JSONL file"),
    ],
)
def test_what_is_not_every_case_once_is_named_and_nothing_written(
    files: tuple[list[Path], list[Path], Path], spoil: Callable[[list[Path], list[Path]], None], said: str
) -> None:
    shards, held_out, out = files
    spoil(shards, held_out)
    with pytest.raises(InputError) as caught:
        joined(shards, held_out, out)
    assert said in str(caught.value)
    assert not list(out.parent.glob("*predictions.jsonl*"))


@pytest.mark.parametrize("logit", [-1000.0, -40.0, 0.0, 40.0, 1000.0])
def test_extreme_logits_are_predictions(tmp_path: Path, logit: float) -> None:
    row = prediction("a") | {"logit": logit, "score": 0.0 if logit < -700 else 1 / (1 + math.exp(-logit))}
    held_out = write(tmp_path / "h.jsonl", [{"case_id": "a", "fold": 0}])
    assert len(joined([write(tmp_path / "s.jsonl", [row])], [held_out], tmp_path / "p.jsonl")) == 1


@given(st.lists(st.text("abc", min_size=1, max_size=3)), st.lists(st.text("abc", min_size=1, max_size=3)))
def test_a_join_is_made_exactly_when_both_sides_hold_the_same_cases_once(left: list[str], right: list[str]) -> None:
    fits = sorted(left) == sorted(right) and len(set(left)) == len(left)
    try:
        lines = gather.gather([(case, case) for case in left], [(case, "") for case in right])
    except InputError:
        assert not fits
    else:
        assert fits
        assert lines == sorted(left)
