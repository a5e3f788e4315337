"""Jobs that ask for a GPU on a machine without one: told before hours of preparation, not when the first of them ends."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

# What the drivers of NVIDIA and AMD show, and Windows to Linux inside it; planning does not import torch, which would know more and takes seconds.
DEVICES = ("dev/nvidiactl", "dev/kfd", "dev/dxg")


def has_gpu(root: Path = Path("/")) -> bool:
    """Whether a driver of a GPU is there, and `CUDA_VISIBLE_DEVICES` does not hide it.

    Args:
        root: of the file system.
    """
    return os.environ.get("CUDA_VISIBLE_DEVICES", "all") not in {"", "-1"} and any((root / name).exists() for name in DEVICES)


def without_gpu(jobs: Iterable[tuple[str, Mapping[str, object]]]) -> str | None:
    """A line that names the rules whose jobs ask for a GPU; None where none does.

    Args:
        jobs: rule and resources of every job to be run.
    """
    asking = Counter(rule for rule, resources in jobs if resources.get("gpu"))
    if not asking:
        return None
    told = ", ".join(f"{count} of {rule}" for rule, count in sorted(asking.items()))
    small = " ".join(f"{rule}:gpu=0" for rule in sorted(asking))
    return (
        f"no GPU is visible on this machine, and {asking.total()} jobs ask for one ({told}): what comes before them will be made, and they will "
        f"end. Run them where a GPU is (profiles gpu and slurm in workflow/profiles); a model that is small enough for a CPU: "
        f"--set-resources {small}"
    )
