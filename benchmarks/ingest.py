"""How long ingestion takes beside a plain pyarrow read-and-Parquet-write of the same files, and how much memory it peaks at.

    python benchmarks/ingest.py STUDY [--repeats 3]
    python benchmarks/ingest.py --patients 24950        makes a twin of that size in a scratch folder first

Every measurement is a process of its own, started in turn (plain, ours, plain, ours, ...), so that both meet the same
machine; times are taken inside it, imports excluded; the medians are compared. CPU time stands beside wall time, since
it hardly feels what else the machine does. Reach: ratio <= 3, peak <= 4 GB.
The plain way reads each file with pyarrow's types as guessed (no judgement of any cell) and writes Parquet. It has the
copy-number matrix as a table of 25,000 columns, which Parquet is slow at, so the ratio without the matrix stands beside.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

MATRIX = "data_cna.txt"
LIMIT_RATIO, LIMIT_GB = 3.0, 4.0


def plain(study: Path, out: Path, *, matrix: bool) -> int:
    """Read every data file and write it as Parquet; returns the bytes read."""
    import pyarrow.csv as arrow_csv
    import pyarrow.parquet as parquet

    read = 0
    for path in sorted(study.glob("data_*")):
        if path.name == MATRIX and not matrix:
            continue
        with path.open("rb") as stream:
            comments = next(number for number, line in enumerate(stream) if not line.startswith(b"#"))
        table = arrow_csv.read_csv(
            path,
            read_options=arrow_csv.ReadOptions(skip_rows=comments),
            parse_options=arrow_csv.ParseOptions(delimiter="\t", quote_char=False),
        )
        parquet.write_table(table, out / f"{path.name}.parquet")
        read += path.stat().st_size
    return read


def ours(study: Path, out: Path, *, matrix: bool) -> int:
    """Ingest the study as the step does; without the matrix, from a folder of links that lacks it."""
    from oncoraft.cohort.ingest import main

    with tempfile.TemporaryDirectory() as folder:
        links = Path(folder) / "study"
        links.mkdir()
        for path in study.glob("*.*"):
            if matrix or path.name != MATRIX:
                (links / path.name).symlink_to(path.resolve())
        if main([str(links), "--out", str(out / "tables")]):
            raise RuntimeError("ingestion failed")
        return sum(path.stat().st_size for path in links.glob("data_*"))


def child(way: str, study: Path, matrix: bool) -> None:
    """One measurement, printed as JSON: seconds of wall and CPU time, peak resident memory in GB, megabytes read."""
    import pyarrow.csv
    import pyarrow.parquet  # noqa: F401

    import oncoraft.cohort.ingest  # noqa: F401

    with tempfile.TemporaryDirectory() as out:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        before, started = usage.ru_utime + usage.ru_stime, time.perf_counter()
        read = (plain if way == "plain" else ours)(study, Path(out), matrix=matrix)
        seconds = time.perf_counter() - started
    usage = resource.getrusage(resource.RUSAGE_SELF)
    cpu = usage.ru_utime + usage.ru_stime - before
    print(json.dumps({"seconds": seconds, "cpu": cpu, "peak_gb": usage.ru_maxrss / 1e6, "megabytes": read / 1e6}))


def measure(way: str, study: Path, matrix: bool) -> dict[str, float]:
    """Run `child` in a process of its own."""
    command = [sys.executable, __file__, str(study), "--child", way, *([] if matrix else ["--without-matrix"])]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(ran.stdout.splitlines()[-1])
    return found


def compare(study: Path, repeats: int) -> bool:
    """Print the table; whether both limits hold."""
    print(
        f"{'files':<15} {'MB':>5} {'plain s':>8} {'ours s':>7} {'ratio':>6} {'plain CPU s':>12} {'ours CPU s':>11} {'ratio':>6} {'ours GB':>8}"
    )
    holds = True
    for label, matrix in (("all", True), ("without matrix", False)):
        runs = [(measure("plain", study, matrix), measure("ours", study, matrix)) for _ in range(repeats)]
        wall = [median(pair[side]["seconds"] for pair in runs) for side in (0, 1)]
        cpu = [median(pair[side]["cpu"] for pair in runs) for side in (0, 1)]
        peak = max(pair[1]["peak_gb"] for pair in runs)
        times = f"{wall[0]:>8.1f} {wall[1]:>7.1f} {wall[1] / wall[0]:>6.2f} {cpu[0]:>12.1f} {cpu[1]:>11.1f} {cpu[1] / cpu[0]:>6.2f}"
        print(f"{label:<15} {runs[0][1]['megabytes']:>5.0f} {times} {peak:>8.2f}", flush=True)
        holds &= wall[1] / wall[0] <= LIMIT_RATIO and peak <= LIMIT_GB
    print(f"limits: ratio {LIMIT_RATIO:g}, {LIMIT_GB:g} GB: {'held' if holds else 'NOT held'}")
    return holds


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", type=Path, nargs="?", metavar="STUDY")
    parser.add_argument("--patients", type=int, default=24_950)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--child", choices=["plain", "ours"], help=argparse.SUPPRESS)
    parser.add_argument("--without-matrix", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child, options.study, not options.without_matrix)
        return 0
    if options.study is not None:
        return 0 if compare(options.study, options.repeats) else 1
    with tempfile.TemporaryDirectory() as folder:
        study = Path(folder) / "study"
        command = [sys.executable, "-m", "oncoraft", "twin", "--patients", str(options.patients), "--out", str(study)]
        subprocess.run([*command, "--truth", f"{folder}/truth.parquet"], check=True)
        return 0 if compare(study, options.repeats) else 1


if __name__ == "__main__":
    raise SystemExit(main())
