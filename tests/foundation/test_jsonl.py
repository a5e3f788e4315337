"""JSON Lines: what is written is what is read, whatever the text; what another program would read otherwise is refused by its line."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as draw

from oncoraft.foundation.errors import InputError
from oncoraft.foundation.jsonl import iterate_jsonl, parse_json, read_jsonl, write_jsonl

SEPARATORS = "\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e\r\n"
TEXT = draw.text(draw.one_of(draw.characters(exclude_categories=["Cs"]), draw.sampled_from(SEPARATORS)))
ROWS = draw.lists(
    draw.dictionaries(
        TEXT, draw.one_of(TEXT, draw.none(), draw.booleans(), draw.integers(), draw.floats(allow_nan=False, allow_infinity=False))
    )
)


@given(rows=ROWS)
@settings(max_examples=200, deadline=None)
def test_rows_come_back_as_they_were_written_whatever_their_text(rows: list[dict], tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    rows = [row for row in rows if not row.keys() & {"case_id", "patient_id"}]
    write_jsonl(path, rows)
    assert read_jsonl(path) == rows
    assert path.read_bytes().count(b"\n") == len(rows)


@given(value=TEXT)
def test_a_line_keeps_its_text_as_it_stands_in_the_file(value: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    write_jsonl(path, [{"case_id": "a", "rationale": value}, {"case_id": "b"}])
    assert "".join(line.text + "\n" for line in iterate_jsonl(path)).encode() == path.read_bytes()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b'{"case_id": "a", "case_id": "b"}', "'case_id' is given twice"),
        (b'{"outer": {"x": 1, "y": 2, "x": 3}}', "'x' is given twice"),
        (b'{"score": NaN}', "column score: expected a finite number, found 'nan'"),
        (b'{"score": -Infinity}', "column score: expected a finite number, found '-inf'"),
        (b'{"scores": [1, 1e999]}', "column scores: expected a finite number, found 'inf'"),
        (b'{"rationale": "\\ud800"}', "column rationale: expected text in Unicode, found half of a surrogate pair, \\ud800"),
        (b'{"rationale": "\\uDC00 x"}', "half of a surrogate pair, \\udc00"),
        (b'{"rationale": "\xed\xa0\x80"}', "expected UTF-8"),
        (b'{"rationale": "\xff"}', "expected UTF-8"),
        (b'{"n": ' + b"9" * 5000 + b"}", "4300"),
        (b"[" * 200000, "nested too deep"),
        (b'["case_id"]', "expected a JSON object, found 'list'"),
        (b"null", "expected a JSON object, found 'NoneType'"),
        (b'{"case_id": 71}', "column case_id: expected text, found 'int'"),
        (b'{"patient_id": null}', "column patient_id: expected text, found 'NoneType'"),
        (b'{"torn": ', "expected a JSON object"),
    ],
)
def test_a_bad_line_is_named_with_what_is_wrong(line: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"first": 1}\n' + line + b"\n")
    with pytest.raises(InputError) as caught:
        read_jsonl(path)
    assert said in str(caught.value)
    assert f"{path}, line 2" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_whole_surrogate_pairs_empty_lines_carriage_returns_and_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'\xef\xbb\xbf{"t": "\\ud83d\\ude00"}\r\n\r\n \t\n{"t": "\\\\ud800"}')
    assert read_jsonl(path) == [{"t": "😀"}, {"t": "\\ud800"}]


def test_a_key_that_is_absent_and_a_case_that_is_repeated_are_named_by_line(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"case_id": "a"}\n\n{"case_id": "a"}\n')
    with pytest.raises(InputError, match=r"line 1, column input: expected this key"):
        read_jsonl(path, ["input"])
    with pytest.raises(InputError, match=r"line 3: expected each case once, the first time was line 1, found 'a'"):
        read_jsonl(path, ["case_id"], once="case_id")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {"deep": ["\udfff"]}])
def test_what_json_cannot_hold_is_refused_before_it_is_written(value: object, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="row 2, case b, value: expected"):
        write_jsonl(tmp_path / "rows.jsonl", [{"case_id": "a"}, {"case_id": "b", "value": value}])


@pytest.mark.parametrize("kind", ["absent", "folder", "pipe", "device"])
def test_what_is_no_regular_file_is_refused_and_never_waited_for(kind: str, tmp_path: Path) -> None:
    path = Path(os.devnull) if kind == "device" else tmp_path / kind
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    with pytest.raises(InputError, match="expected a JSONL file, found"):
        read_jsonl(path)


def test_what_json_says_is_what_python_reads() -> None:
    text = '{"a": [1, 2.5, true, null, "x"], "b": {"a": 1}}'
    assert parse_json(text) == json.loads(text)
