"""Lines of a large file that repeat are those of a plain search, however few columns tell rows apart, and in whatever form these come."""

from pathlib import Path
from random import Random

import numpy as np
import pyarrow as pa
import pytest

from oncoraft.cohort import repeats
from oncoraft.cohort.reader import RawTable, Refusal, read_header
from oncoraft.cohort.repeats import Repeats, marks, telling

PART = 50  # lines


def test_columns_tell_whose_texts_repeat_but_are_not_all_one() -> None:
    arrays = {
        "own": pa.array([f"t{row}" for row in range(40)]).dictionary_encode(),
        "few": pa.array(["a", "b"] * 20).dictionary_encode(),
        "some": pa.array(list("abcd") * 10).dictionary_encode(),
        "one": pa.array(["x"] * 40).dictionary_encode(),
        "day": pa.array(range(40), pa.int32()),
    }
    assert telling(arrays, 40) == ["day", "some", "few"]


def test_equal_values_have_one_mark_in_whatever_form_and_part_they_come() -> None:
    texts, days, numbers = ["a", None, "b", "a"], [3, None, -1, 3], [0.5, None, 2.0, 0.5]
    columns = {"text": pa.array(texts), "day": pa.array(days, pa.int32()), "number": pa.array(numbers)}
    plain = marks(columns, list(columns), 4)
    coded = marks({**columns, "text": columns["text"].dictionary_encode()}, list(columns), 4)
    later = {name: column.take(pa.array([2, 0])) for name, column in columns.items()}
    assert np.array_equal(plain, coded)
    assert len(set(plain.tolist())) == 3
    assert marks(later, list(columns), 2).tolist() == plain[[2, 0]].tolist()


@pytest.mark.parametrize("many", [0, 1_000_000])
@pytest.mark.parametrize("told", [["day"], ["text", "day"], []])
def test_repeats_are_those_of_a_plain_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: list[str], many: int) -> None:
    monkeypatch.setattr(repeats, "MARKS", 64)
    monkeypatch.setattr(repeats, "MANY", many)
    monkeypatch.setattr(repeats, "telling", lambda arrays, rows: told)
    draw = Random(2)
    rows = [(draw.choice(["x", "y", ""]), draw.randint(0, 9), draw.choice(["", "free", "text"])) for _ in range(400)]
    malformed = {line for line in range(2, 402) if line % 9 == 0}
    lines = ["\t".join(map(str, row)) + draw.choice(["", "\t", "\t\t"]) for row in rows]  # padded ones equal those that are not
    texts = [line if number not in malformed else "cut" for number, line in enumerate(lines, start=2)]
    path = tmp_path / "table.txt"
    path.write_bytes(("\r\n".join(["A\tDAY\tNOTE", *texts]) + "\r\n").encode())
    header = read_header(path)
    found = Repeats(path, header, tmp_path)
    for start in range(2, 402, PART):
        good = [line for line in range(start, start + PART) if line not in malformed]
        bad = [Refusal(line, "", "3 fields", "1 fields") for line in range(start, start + PART) if line in malformed]
        values = [rows[line - 2] for line in good]
        arrays = {"text": pa.array([text for text, *_ in values]), "day": pa.array([day for _, day, _ in values], pa.int32())}
        found.add(RawTable(header, [], np.array(good, dtype=np.int32), bad), arrays)
    first: dict[tuple[str, int, str], int] = {}
    expected = []
    for line, row in enumerate(rows, start=2):
        if line not in malformed and first.setdefault(row, line) != line:
            expected.append((line, first[row]))
    assert found.pairs(malformed) == expected
    assert len(expected) > 100
