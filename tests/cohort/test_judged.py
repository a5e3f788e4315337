"""The quick ways of judging cells find what the careful one finds."""

import itertools
from random import Random

import numpy as np
import pyarrow as pa
import pytest

from oncoraft.cohort import judged
from oncoraft.cohort.cells import type_distinct
from oncoraft.cohort.judged import Judged, plain_numbers
from oncoraft.knowledge.table_specification import Column, column
from oncoraft.knowledge.tables import TABLES

COLUMNS = [column("A", kind, **more) for kind in ("day", "integer", "number") for more in ({}, {"nullable": False}, {"minimum": 0})]
PLAIN = ["12", "7", "-3", "0"]
CELLS = [
    *("", "NA", "n.a.", "nan", "inf", "-inf", "0x1A", "0X1a", "1e5", "1e-400", "1e400", "+5", " 12", "12 ", "12.0", "12.", ".5", "007"),
    *("-0", "--1", "-", ".", "2147483647", "2147483648", "60001", "-60001", "60001.0", '"12"', "1_000", "1,000", "१२", ">5", "5+", "12;"),
    "-2147483648",
]


@pytest.mark.parametrize("of", COLUMNS, ids=str)
def test_plain_numbers_are_those_of_the_careful_way_or_are_left_to_it(of: Column) -> None:
    for cell, others in itertools.product(CELLS, (PLAIN, ["", "4"], ["0.25", "3"])):
        texts = pa.array([*others, cell])
        values, bad = type_distinct(of, texts)
        found = plain_numbers(of, texts)
        assert found is None or (found.equals(values) and not bad.any()), (cell, others)
    good = pa.array(["4", "0", "30"])
    assert plain_numbers(of, good).to_pylist() == [4, 0, 30]


def test_texts_judged_part_after_part_are_as_judged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judged, "FEW", 12)
    draw, words = (
        Random(3),
        ["", "NA", "Yes", "No", '"Yes"', "1", "P-1", "0.5", "soon", "-4", "?", "1:DECEASED", "Lung", "p.G12C", "MARCH1", "a\tb"],
    )
    for of in (one for table in TABLES for one in table.columns):
        remembered = Judged(of)
        for _ in range(6):
            texts = pa.array(draw.sample(words, draw.randint(0, len(words))), pa.string())
            values, bad = type_distinct(of, texts)
            found, wrong = remembered.of(texts)
            assert found.equals(values)
            assert np.array_equal(wrong, bad)
