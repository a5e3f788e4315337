#!/usr/bin/env bash
# pandas 2.3.3 on pyarrow 26.0.1, duckdb 2.0.1, reading a Parquet file that polars 2.1.0 wrote
#
# Guess: read_parquet(filters=[("ratio", "!=", 1.0)]) gives the rows that the same condition gives on the table once it is read; row groups are a matter of speed.
# Fact:  polars keeps 0/0 as NaN, which is a value and no null, and NaN is in no minimum and maximum of a row group. pyarrow drops a row group when these rule
#        the condition out, so a NaN between neighbours that all fail is lost and a NaN beside one that passes is kept: the same patient is in or out of
#        the result by who stands next to him and by the size of the row groups. is_nan() finds none of them where a group has numbers too. DuckDB does the
#        same with !=; polars' own scan is right. Nothing is said.
# Why:   a fold change of a marker is 0/0 for whoever had 0 at both times. "Everyone whose value changed, or cannot be told" is then another cohort when the
#        file is rewritten with other row groups, or sorted by patient, and a check for NaN on the file says that there are none.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile pandas==2.3.3 pyarrow==26.0.1 polars==2.1.0 duckdb==2.0.1
venv/bin/python - <<'PYTHON'
import sys

import duckdb
import pandas as pd
import polars as pl
import pyarrow.compute as pc
import pyarrow.dataset as ds

table = pl.DataFrame(
    {"patient": ["A", "B", "C", "D", "E", "F"], "before": [4.0, 8.0, 0.0, 3.0, 3.0, 0.0], "after": [4.0, 8.0, 0.0, 3.0, 1.5, 0.0]}
).with_columns(ratio=pl.col("after") / pl.col("before"))
print("ratio of a marker after and before:", dict(zip(table["patient"], table["ratio"])))


def names(found) -> str:
    return "".join(sorted(found))


found = {}
for rows in (2, 4, 6):
    table.write_parquet("table.parquet", row_group_size=rows)
    whole = pd.read_parquet("table.parquet")
    guess = names(whole.loc[whole["ratio"] != 1.0, "patient"])
    by = {
        "pandas, filters": names(pd.read_parquet("table.parquet", filters=[("ratio", "!=", 1.0)])["patient"]),
        "DuckDB": names(row[0] for row in duckdb.sql("select patient from 'table.parquet' where ratio != 1").fetchall()),
        "polars": names(pl.scan_parquet("table.parquet").filter(pl.col("ratio") != 1).collect()["patient"]),
        "pyarrow, is_nan": names(ds.dataset("table.parquet").to_table(filter=pc.is_nan(pc.field("ratio")))["patient"].to_pylist()),
    }
    found[rows] = by
    print(f"row groups of {rows}: ratio != 1 is {guess} in memory; " + "; ".join(f"{name}: {value or 'nobody'}" for name, value in by.items()))
    assert guess == "CEF" and by["polars"] == "CEF", "the guess itself"
if all(by["pandas, filters"] == "CEF" for by in found.values()):
    sys.exit("changed: row groups with NaN are read")
lost = {rows for rows, by in found.items() if by["pandas, filters"] != "CEF"}
if lost != {2, 4} or found[4]["pyarrow, is_nan"] or found[4]["DuckDB"] != "EF":
    sys.exit(f"changed: lost with row groups of {sorted(lost)}, {found}")
PYTHON
