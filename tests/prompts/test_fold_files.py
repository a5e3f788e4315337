"""A fold's files that refer to their prompts: the published rows and bytes come back, and what is no longer there is told in one line."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from oncoraft.answers import content_digest, full_prompt
from oncoraft.fold_files import read_fold_file
from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import read_jsonl, write_jsonl
from oncoraft.models.cases import read_rows
from oncoraft.prompts.export_jsonl import main as export_jsonl
from oncoraft.prompts.split import main as split

PEOPLE = [f"p{number:02}" for number in range(40)]
PARTS = ("train", "heldout", "tuning")
TEXT = 'ECOG 1; "=sum" \\ 5 µg/mL\u2028line two\nline three of {}'


def prompt_of(name: str, more: str = "") -> dict[str, object]:
    return {"case_id": name, "instruction": "Judge — «é».", "input": TEXT.format(name) + more, "output": "", "prompt_tokens": 9, "cut": []}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A cohort of forty patients in four folds, as the steps before `split` leave it."""
    home = tmp_path / "results"
    (home / "cases").mkdir(parents=True)
    folds = {"fold": [n % 4 for n in range(40)], "is_tuning": [n % 10 == 1 for n in range(40)]}
    ids = pd.DataFrame({"case_id": PEOPLE, "patient_id": PEOPLE})
    ids.to_parquet(home / "cases/cases.parquet")
    ids.assign(design="kfold", **folds).to_parquet(home / "cases/folds.parquet")
    scores = [None if n % 5 == 0 else 0.7 * (n % 2) for n in range(40)]
    labels = {"definition": "strict", "category": ["NE" if score is None else "SD" for score in scores], "score": scores}
    responder = pd.array([None if score is None else score > 0 for score in scores], dtype="boolean")
    ids[["case_id"]].assign(**labels, responder=responder).to_parquet(home / "cases/labels.parquet")
    write_jsonl(home / "prompts.jsonl", map(prompt_of, PEOPLE))
    write_jsonl(home / "rationales.jsonl", [{"case_id": name, "rationale": f"Why {name}."} for name in PEOPLE])
    return home


def made(home: Path, texts: str) -> dict[str, Path]:
    """The files of fold 0."""
    files = {name: home / "kfold" / texts / f"{name}.jsonl" for name in PARTS}
    words = [home / "prompts.jsonl", home / "rationales.jsonl", home / "cases", "--fold", 0]
    words += [part for name, path in files.items() for part in (f"--{name}", path)]
    assert split([*map(str, words), "--settings", json.dumps({"split": {"texts": texts}})]) == 0
    return files


def test_lines_that_refer_hold_no_prompt_and_read_as_those_that_hold_it(home: Path) -> None:
    copied, referred = made(home, "copied"), made(home, "referred")
    for name in PARTS:
        lines = read_jsonl(referred[name])
        assert not any(key in row for row in lines for key in ("instruction", "input"))
        assert "ECOG" not in referred[name].read_text()
        digests = {row["case_id"]: content_digest(full_prompt("Judge — «é».", TEXT.format(row["case_id"]))) for row in lines}
        assert {row["case_id"]: row["prompt_digest"] for row in lines} == digests
        assert [row.get("prompts") for row in lines] == ["../../prompts.jsonl"] + [None] * (len(lines) - 1)
        rows = read_rows(referred[name])
        assert rows == read_rows(copied[name])
        assert len(rows) > 2


def test_the_published_file_comes_back_byte_for_byte_from_either_form(home: Path, tmp_path: Path) -> None:
    copied = made(home, "copied")
    for texts in ("referred", "copied"):
        for name, path in made(home, texts).items():
            assert export_jsonl([str(path), "--out", str(tmp_path / f"{name}.jsonl")]) == 0
            assert (tmp_path / f"{name}.jsonl").read_bytes() == copied[name].read_bytes()
            record = json.loads((tmp_path / f"{name}.jsonl.manifest.json").read_text())
            assert record["counts"]["cases"] == len(read_jsonl(copied[name]))


def test_a_fold_without_tuning_patients_has_an_empty_file_in_either_form(home: Path, tmp_path: Path) -> None:
    folds = pd.read_parquet(home / "cases/folds.parquet")
    folds.assign(is_tuning=False).to_parquet(home / "cases/folds.parquet")
    tuning = made(home, "referred")["tuning"]
    assert read_rows(tuning, may_be_empty=True) == []
    assert export_jsonl([str(tuning), "--out", str(tmp_path / "tuning.jsonl")]) == 0
    assert (tmp_path / "tuning.jsonl").read_bytes() == tuning.read_bytes() == b""


def test_a_file_changes_when_a_prompt_of_its_own_does_and_only_then(home: Path) -> None:
    before = {name: path.read_bytes() for name, path in made(home, "referred").items()}
    # p00 is held out; every later prompt moves within the file.
    write_jsonl(home / "prompts.jsonl", [prompt_of(name, "; liver" if name == "p00" else "") for name in PEOPLE])
    after = {name: path.read_bytes() for name, path in made(home, "referred").items()}
    assert {name for name in PARTS if before[name] != after[name]} == {"heldout"}


def test_a_folder_of_results_can_be_moved_as_a_whole(home: Path, tmp_path: Path) -> None:
    files = made(home, "referred")
    rows = {name: read_rows(path) for name, path in files.items()}
    (tmp_path / "a folder").mkdir()
    shutil.move(home, tmp_path / "a folder" / "elsewhere")
    for name, path in files.items():
        assert read_rows(tmp_path / "a folder" / "elsewhere" / path.relative_to(home)) == rows[name]


def test_prompts_of_another_program_may_stand_in_another_order_with_their_keys_in_another_order(home: Path) -> None:
    files = made(home, "referred")
    rows = {name: read_rows(path) for name, path in files.items()}
    others = [json.dumps(dict(reversed(row.items())), indent=None) for row in read_jsonl(home / "prompts.jsonl")[::-1]]
    (home / "prompts.jsonl").write_bytes(b"\xef\xbb\xbf" + "\r\n\r\n".join(others).encode())
    assert {name: read_rows(path) for name, path in files.items()} == rows


def test_what_is_held_of_the_prompts_follows_the_cases_asked_for_and_not_the_file(home: Path) -> None:
    heldout = made(home, "referred")["heldout"]
    wanted = read_rows(heldout)
    padding = [prompt_of(f"x{number:05}", " of the same" * 400) for number in range(2000)]
    write_jsonl(home / "prompts.jsonl", [*map(prompt_of, PEOPLE), *padding])
    assert (home / "prompts.jsonl").stat().st_size > 9_000_000
    tracemalloc.start()
    assert read_rows(heldout) == wanted
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def without_first_line(path: Path) -> None:
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))


def second_without_digest(path: Path) -> None:
    rows = read_jsonl(path)
    write_jsonl(path, [rows[0], {key: value for key, value in rows[1].items() if key != "prompt_digest"}])


FAULTS: dict[str, tuple[Callable[[Path, Path], object], str]] = {
    "no such file": (
        lambda prompts, heldout: prompts.unlink(),
        r"heldout\.jsonl, line 1, column prompts: expected the file of the prompts that the lines refer to, found '.*results/prompts\.jsonl'",
    ),
    "a folder": (
        lambda prompts, heldout: (prompts.unlink(), prompts.mkdir()),
        r"heldout\.jsonl, line 1, column prompts: expected the file of the prompts",
    ),
    "no such case": (
        lambda prompts, heldout: write_jsonl(prompts, [prompt_of(name) for name in PEOPLE if name != "p08"]),
        r"heldout\.jsonl, line 3, column case_id: expected a case of .*prompts\.jsonl, found 'p08'",
    ),
    "another text": (
        lambda prompts, heldout: write_jsonl(prompts, [prompt_of(name, "!" * (name == "p04")) for name in PEOPLE]),
        r"heldout\.jsonl, line 2, column prompt_digest: case p04: expected [0-9a-f]{16}, as its prompt in .*prompts\.jsonl is now;"
        r" write the fold's files again \(`oncoraft split`\), found '[0-9a-f]{16}'",
    ),
    "a case twice": (
        lambda prompts, heldout: write_jsonl(prompts, map(prompt_of, ["p01", *PEOPLE, "p04"])),
        r"prompts\.jsonl, line 42: expected each case once, the first time was line 6, found 'p04'",
    ),
    "a text that is none": (
        lambda prompts, heldout: write_jsonl(prompts, [prompt_of(name) | {"input": 5} for name in PEOPLE]),
        r"prompts\.jsonl, line 1, column input: case p00: expected text",
    ),
    "a torn line": (
        lambda prompts, heldout: prompts.write_text('{"case_id": "p00", "instruction": "Ju'),
        r"prompts\.jsonl, line 1: expected a JSON object \(Unterminated string",
    ),
    "a line that is no case": (
        lambda prompts, heldout: prompts.write_text("\n[1]\n"),
        r"prompts\.jsonl, line 2: expected a JSON object, found 'list'",
    ),
    "an escape that is none": (
        lambda prompts, heldout: prompts.write_text('{"case_id": "p\\q"}\n'),
        r"prompts\.jsonl, line 1: expected a JSON object \(Invalid \\escape",
    ),
    "no UTF-8": (
        lambda prompts, heldout: prompts.write_bytes(b'{"case_id": "p00", "input": "\xff"}'),
        r"prompts\.jsonl, line 1: expected UTF-8",
    ),
    "the line that names the file is lost": (
        lambda prompts, heldout: without_first_line(heldout),
        r"heldout\.jsonl, line 1, column prompts: expected the first line to name the file of the prompts that the lines refer to",
    ),
    "a line with neither text nor digest": (
        lambda prompts, heldout: second_without_digest(heldout),
        r"heldout\.jsonl, line 2, column prompt_digest: expected this key",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_prompt_that_cannot_be_had_is_told_in_one_line_and_nothing_is_written(home: Path, tmp_path: Path, name: str) -> None:
    spoil, said = FAULTS[name]
    heldout = made(home, "referred")["heldout"]
    spoil(home / "prompts.jsonl", heldout)
    for read in (read_rows, lambda path: export_jsonl([str(path), "--out", str(tmp_path / "out.jsonl")])):
        with pytest.raises(InputError, match=said) as caught:
            read(heldout)
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("*out.jsonl*"))


def test_a_line_with_a_text_of_its_own_beside_a_digest_is_refused(home: Path) -> None:
    path = made(home, "referred")["train"]
    first, second, *others = read_jsonl(path)
    write_jsonl(path, [first, second | {"input": "another text"}, *others])
    with pytest.raises(InputError, match="line 2, column input: expected no text"):
        read_rows(path)


def test_a_file_that_holds_its_prompts_is_read_as_ever(tmp_path: Path) -> None:
    write_jsonl(tmp_path / "own.jsonl", [{"case_id": "a", "instruction": "i"}])
    with pytest.raises(InputError, match=r"own\.jsonl, line 1, column input: expected this key"):
        read_fold_file(tmp_path / "own.jsonl", ("instruction", "input"))
    # A key of one's own by that name beside the texts changes nothing.
    write_jsonl(tmp_path / "own.jsonl", [{"case_id": "a", "instruction": "i", "input": "x", "prompt_digest": "mine"}])
    assert read_fold_file(tmp_path / "own.jsonl", ("instruction", "input"))[0]["prompt_digest"] == "mine"
