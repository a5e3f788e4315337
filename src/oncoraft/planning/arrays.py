"""Job arrays of a cluster: refused where they would give a job another job's memory and time.

snakemake-executor-plugin-slurm 2.8.0 submits all jobs of a rule that are ready as one array with the resources of the first of them, and goes on printing
each job's own (`findings/snakemake_slurm_array_takes_the_first_jobs_memory.sh`). Rules here ask for what the size of a model needs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

GRANTED = ("mem_mb", "runtime", "gpu", "gres", "slurm_partition", "threads")


def unequal_arrays(asked: str | None, jobs: Iterable[tuple[str, Mapping[str, object]]]) -> list[str]:
    """One line for each rule that is asked for as an array although its jobs need different things.

    Args:
        asked: value of `--slurm-array-jobs`: rules with commas or semicolons between them, or `all`; None without.
        jobs: rule and resources of every job to be run.
    """
    rules = {name.strip() for name in (asked or "").replace(";", ",").split(",") if name.strip()}
    needs: dict[str, list[Mapping[str, object]]] = defaultdict(list)
    for rule, resources in jobs:
        if rule in rules or "all" in rules:
            needs[rule].append(resources)
    lines = []
    for rule, of_rule in sorted(needs.items()):
        for key in GRANTED:
            values = sorted({str(resources.get(key, "none")) for resources in of_rule})
            if len(values) > 1:
                told = f"{key} is not the same for all ({', '.join(values)}) and an array gives them that of its first"
                lines.append(f"--slurm-array-jobs: {len(of_rule)} jobs of rule {rule}: {told}; leave {rule} out of the arrays")
    return lines
