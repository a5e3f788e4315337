"""Seeded corruptions of a study folder: what happens to tables on their way through people, spreadsheets, disks and networks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random

# Cells: odd words, numbers that no type holds, quotes, control characters, markup, formulas, and bytes that are no UTF-8.
TEXTS = """
NA|NaN|null|None|[Not Available]|Unknown|-|?|.|0|-0|1|-1|2|-2|1.5|-1.5|1e5|1e400|-1e308|inf|-inf|nan|0x10|1_000|1,5|1.000,5|>89|<18|>=90
99999|2147483647|2147483648|-2147483649|99999999999999999999|TRUE|Yes|Y|0:LIVING|1:DECEASED|IV|Stage 4|2021-05-01|12/11/2020|P-0000001|p-0000002|P-0000001-T01-IM6
"|"open|"a""b"|'|''|`|\\|\\N|\\t|../../etc/passwd|=HYPERLINK("x")|+1+1|@SUM(A1)|-2+3|{{ 7*7 }}|{% raw %}|{0}|{|}|%s|%|$\\frac{$|<script>alert(1)</script>
&amp;|<end_of_turn>|<|im_end|>|</s>|[INST]|ٱلسلام|٣|½|é|ﬁ|😀|#|#x|CARBOPLATIN + PACLITAXEL|FOLFOX|Sequencing|p.(Gly12Cys)|IMPACT468|A/B;C,D
"""
WORDS = [word.encode() for line in TEXTS.strip().split("\n") for word in line.split("|")] + [
    b"", b" ", b"\x00", b"A\x00B", b"a\tb", b"\r", b"a\rb", b"\x0b", b"\x0c", b"\x1b[31m", b"\xff\xfe", b"\xed\xa0\x80", b"caf\xe9",
    b"9" * 400, b"0" * 30 + b"1", b"e\xcc\x81" * 50, b"\xe2\x80\xa8", b"\xe2\x80\xae", b"\xc2\x85", b"\xef\xbb\xbf", b"\xc2\xa0",
]  # fmt: skip
MEGABYTE = b"x" * 1_200_000
Lines = list[bytes]


class Text:
    """A delimited file taken apart: what stands before the header, the header's cells, the rows, whether a line end closes it."""

    def __init__(self, path: Path) -> None:
        lines = path.read_bytes().split(b"\n")
        self.path = path
        self.closed = lines[-1] == b""
        lines = lines[:-1] if self.closed else lines
        at = next((number for number, line in enumerate(lines) if not line.startswith(b"#")), 0)
        self.before, self.header, self.rows = lines[:at], lines[at].split(b"\t") if lines else [], lines[at + 1 :]

    def cells(self) -> list[Lines]:
        return [row.split(b"\t") for row in self.rows]

    def write(self, rows: list[Lines] | None = None) -> None:
        if rows is not None:
            self.rows = [b"\t".join(row) for row in rows]
        lines = [*self.before, b"\t".join(self.header), *self.rows]
        self.path.write_bytes(b"\n".join(lines) + (b"\n" if self.closed else b""))


def word(draw: Random) -> bytes:
    return MEGABYTE if draw.random() < 0.01 else draw.choice(WORDS)


def cell(draw: Random, text: Text) -> str:
    """One cell, a tenth of a column, or a whole one becomes another word, or is extended by it."""
    rows, new = text.cells(), word(draw)
    column, share = draw.randrange(len(text.header)), draw.choice([0.0, 0.0, 0.1, 1.0])
    extends = draw.random() < 0.2
    share = 0.0 if len(new) > 1000 else share
    chosen = {draw.randrange(len(rows))} | {number for number in range(len(rows)) if draw.random() < share}
    for row in (rows[number] for number in chosen):
        if column < len(row):
            row[column] = row[column] + new if extends else new
    text.write(rows)
    return f"{len(chosen)} cells of {text.header[column].decode(errors='replace')} {'+' if extends else '='} {new[:40]!r}"


def swapped_cells(draw: Random, text: Text) -> str:
    """Two columns change places in some rows."""
    rows, (a, b) = text.cells(), draw.choices(range(len(text.header)), k=2)
    for row in draw.sample(rows, min(len(rows), draw.choice([1, 5, len(rows)]))):
        if max(a, b) < len(row):
            row[a], row[b] = row[b], row[a]
    text.write(rows)
    return f"cells of columns {a} and {b} swapped"


def rows_of(draw: Random, text: Text) -> str:
    """Rows are repeated, lost, shuffled, cut off, too long or too short, empty, or comments."""
    kind = draw.choice(["repeat", "delete", "delete-all", "shuffle", "cut", "cut-in-row", "longer", "shorter", "blank", "comment", "owner"])
    rows, at = text.rows, draw.randrange(len(text.rows))
    some = draw.sample(range(len(rows)), min(len(rows), draw.choice([1, 3, len(rows)])))
    match kind:
        case "repeat":
            rows += [rows[number] for number in some]
        case "delete":
            text.rows = [row for number, row in enumerate(rows) if number not in set(some)]
        case "delete-all":
            text.rows = []
        case "shuffle":
            draw.shuffle(rows)
        case "cut":
            del rows[at:]
        case "cut-in-row":
            rows[at] = rows[at][: draw.randrange(len(rows[at]) + 1)]
            del rows[at + 1 :]
        case "longer" | "shorter":
            for number in some:
                rows[number] = rows[number] + b"\t" * draw.randint(1, 3) + draw.choice([b"", b"x"]) if kind == "longer" else (
                    rows[number].rpartition(b"\t")[0])  # fmt: skip
        case "blank" | "comment":
            rows.insert(at, draw.choice([b"", b"   ", b"\t\t"]) if kind == "blank" else b"#" + rows[at])
        case "owner":  # rows of one patient under the id of another
            first = [row.partition(b"\t")[0] for row in rows]
            for number in some:
                rows[number] = draw.choice(first) + b"\t" + rows[number].partition(b"\t")[2]
    text.write()
    return f"rows: {kind}, {len(some)} at {at}"


def columns_of(draw: Random, text: Text) -> str:
    """Columns are renamed, dropped, doubled, reordered, or their headers change case, places or dress."""
    kind = draw.choice(["rename", "drop", "double", "double-name", "reorder", "lower", "swap-headers", "quote", "pad", "word"])
    rows, header, at = text.cells(), text.header, draw.randrange(len(text.header))
    name = header[at]
    other = draw.randrange(len(header))
    match kind:
        case "rename" | "word":
            header[at] = name + b"_2" if kind == "rename" else word(draw)
        case "drop" | "double" | "double-name":
            for row in [header, *rows]:
                if at < len(row):
                    row.append(row[at]) if kind != "drop" else row.pop(at)
            if kind == "double":
                header[-1] = draw.choice([b"COPY", name.swapcase(), name + b" "])
        case "reorder":
            order = draw.sample(range(len(header)), len(header))
            rows = [[row[number] for number in order] if len(row) == len(order) else row for row in rows]
            text.header = [header[number] for number in order]
        case "lower":
            text.header = [one.lower() for one in header]
        case "swap-headers":
            header[at], header[other] = header[other], header[at]
        case "quote" | "pad":
            text.header = [b'"' + one + b'"' if kind == "quote" else b" " + one + b" " for one in header]
    text.write(rows)
    return f"columns: {kind} {name.decode(errors='replace')}"


def file_of(draw: Random, path: Path) -> str:
    """A file is gone, emptied, cut, another's, packed, in another encoding, damaged, or no file at all."""
    data, others = path.read_bytes(), sorted(one for one in path.parent.glob("*.txt") if one.is_file())
    changed: dict[str, Callable[[], bytes]] = {
        "empty": lambda: b"",
        "blank": lambda: b"\n\n",
        "cut": lambda: data[: draw.randrange(len(data) + 1)],
        "another": lambda: draw.choice(others).read_bytes(),
        "mark": lambda: b"\xef\xbb\xbf" + data,
        "crlf": lambda: data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"),
        "cr": lambda: data.replace(b"\n", b"\r"),
        "utf-16": lambda: data.decode("utf-8", "replace").encode("utf-16"),
        "latin-1": lambda: data.replace(b"a", b"\xe4", 3),
        "commas": lambda: data.replace(b"\t", b","),
        "spaces": lambda: data.replace(b"\t", b"  "),
        "nul-tail": lambda: data + b"\x00" * draw.choice([1, 4096]),
        "twice": lambda: data + data,
        "pointer": lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        "flipped": lambda: bytes(byte ^ (1 << draw.randrange(8)) if draw.random() < 3 / (len(data) + 1) else byte for byte in data),
        "noise": lambda: draw.randbytes(2000),
    }
    kind = draw.choice([*changed, "delete", "folder", "pipe", "dangling", "loop", "link", "upper", "swap"])
    if kind in changed:
        path.write_bytes(changed[kind]())
        return f"file: {kind}"
    elsewhere = path.parent / f"moved-{path.name}"
    path.rename(elsewhere)
    match kind:
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case "dangling" | "loop":
            path.symlink_to(path if kind == "loop" else "nowhere")
        case "link":
            path.symlink_to(elsewhere.name)
            return "file: link"
        case "upper":
            elsewhere.rename(path.with_name(path.name.upper()))
            return "file: name in capitals"
        case "swap":
            other = draw.choice([one for one in others if one != path])
            other.rename(path)
            elsewhere.rename(other)
            return f"file: swapped with {other.name}"
    elsewhere.unlink()
    return f"file: {kind}"


def corrupt(study: Path, draw: Random) -> list[str]:
    """One to three corruptions of a study folder; says which."""
    told = []
    for _ in range(draw.choice([1, 1, 2, 3])):
        place = draw.choice(["data_*.txt"] * 9 + ["meta_*.txt", "case_lists/*.txt"])
        files = sorted(path for path in study.glob(place) if path.is_file())
        if not files:
            continue
        path = draw.choice(files)
        kind = draw.choice([cell, cell, cell, swapped_cells, rows_of, rows_of, columns_of, columns_of, None])
        text = Text(path) if kind else None
        is_table = text is not None and text.header and text.rows
        said = kind(draw, text) if kind and text and is_table else file_of(draw, path)
        told.append(f"{path.name}: {said}")
    return told


def corrupted_copy(clean: Path, folder: Path, seed: int, number: int) -> list[str]:
    """Copy a study and corrupt the copy: the same for the same seed and number, on every machine."""
    shutil.copytree(clean, folder)
    return corrupt(folder, Random(f"{seed}-{number}"))
