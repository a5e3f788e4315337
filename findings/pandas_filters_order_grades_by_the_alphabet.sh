#!/usr/bin/env bash
# pandas 2.3.3 on pyarrow 26.0.1, polars 2.1.0, duckdb 2.0.1: an ordered category, low < intermediate < high, in a Parquet file
#
# Guess: read_parquet(filters=[("risk", ">=", "intermediate")]) gives the rows that table[table.risk >= "intermediate"] gives once the file is read, which comes
#        back as an ordered category; so do polars and DuckDB, or they refuse, as pandas does for a category without an order.
# Fact:  the filter compares spellings: "high" < "intermediate" < "low", so that all of low risk come back and all of high risk are missing. polars drops the
#        order when it takes the table over, from memory or from the file, and DuckDB does the same on the file; over the table in memory DuckDB has the
#        type ENUM('low', 'intermediate', 'high'), finds the right max() and compares with a text by the alphabet all the same. Nothing is said.
# Why:   risk groups, grades of toxicity in words, response and frequency are ordered categories, and a filter at reading is what one adds when the cohort gets large.
#        A demo with stages I to IV, or grade 1 to 4, is right by chance: there the alphabet is the order.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile pandas==2.3.3 pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1
venv/bin/python - <<'PYTHON'
import sys
import warnings

import duckdb
import pandas as pd
import polars as pl

RISKS = ["low", "intermediate", "high"]
cohort = pd.DataFrame({"patient": ["A", "B", "C", "D"], "risk": pd.Categorical(["low", "intermediate", "high", "low"], categories=RISKS, ordered=True)})
cohort.to_parquet("cohort.parquet")
CONDITION = pl.col("risk") >= "intermediate"


def asked(source: str) -> list[str]:
    """The patients whom DuckDB finds at least at intermediate risk."""
    return [row[0] for row in duckdb.sql(f"SELECT patient FROM {source} WHERE risk >= 'intermediate' ORDER BY patient").fetchall()]


with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    table = memory = pd.read_parquet("cohort.parquet")
    guess = table[table.risk >= "intermediate"].patient.tolist()
    facts = {
        "pandas, filter at reading": pd.read_parquet("cohort.parquet", filters=[("risk", ">=", "intermediate")]).patient.tolist(),
        "polars, of the table in memory": pl.from_pandas(table).filter(CONDITION)["patient"].to_list(),
        "polars, of the file": pl.scan_parquet("cohort.parquet").filter(CONDITION).collect()["patient"].to_list(),
        "DuckDB, of the table in memory": asked("memory"),
        "DuckDB, of the file": asked("'cohort.parquet'"),
    }
kind, most = duckdb.sql("SELECT any_value(typeof(risk)), max(risk) FROM memory").fetchall()[0]
print(f"the file comes back to pandas as ordered: {table.risk.cat.ordered}, {table.risk.cat.categories.tolist()}")
print(f"at least intermediate: guess {guess}")
for reader, patients in facts.items():
    print(f"  {reader:31} fact {patients}")
print(f"DuckDB's type of the table in memory: {kind}, its max(): {most}; warnings of all of them: {len(said)}")
assert table.risk.cat.ordered and guess == ["B", "C"], "the guess itself"
if all(patients == ["A", "B", "D"] for patients in facts.values()) and most == "high" and not said:
    sys.exit(0)
sys.exit("changed: a reader keeps the order, or refuses to compare")
PYTHON
