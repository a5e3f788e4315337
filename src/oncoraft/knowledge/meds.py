"""Where a MEDS data set (schema 0.4) keeps what, and the names that both directions of ours share."""

from __future__ import annotations

MEDS_VERSION = "0.4.1"
ANCHOR = "1970-01-01"  # where day 0 stands; times before it are negative, which every reader takes
DATA, LABELS = "data", "labels/response.parquet"
SPLITS, CODES, DATASET = "metadata/subject_splits.parquet", "metadata/codes.parquet", "metadata/dataset.json"
DEATH = "MEDS_DEATH"
# Columns beside the schema's: where a value stood, so that a table can be put together again.
EXTRA = ("source_table", "source_row", "source_column")
