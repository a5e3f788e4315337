"""What is told of every row of a study's files: the columns of the ledger, of rows set aside and of duplicates."""

from __future__ import annotations

import pyarrow as pa

COUNTS = ("rows_read", "rows_kept", "rows_refused", "rows_duplicate")
LEDGER = pa.schema(
    [("table", pa.string()), ("file", pa.string()), ("status", pa.string()), ("sha256", pa.string()), ("bytes", pa.int64())]
    + [(name, pa.int64()) for name in COUNTS]
    + [("ignored_columns", pa.list_(pa.string())), ("absent_columns", pa.list_(pa.string())), ("without", pa.string())]
)
REJECTS = pa.schema(
    [
        ("table", pa.string()),
        ("file", pa.string()),
        ("source_line", pa.int32()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("raw", pa.string()),
    ]
)
DUPLICATES = pa.schema([("table", pa.string()), ("file", pa.string()), ("source_line", pa.int32()), ("first_line", pa.int32())])


def few_of(names: list[str], limit: int = 8) -> str:
    """Some names for the log."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(name or "(without a name)" for name in names[:limit]) + more
