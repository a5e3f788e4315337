"""`python -m oncoraft ...` without the seconds that importing torch, transformers and pandas takes: forked from a server that has.

A test of what a step says needs a process of its own (its status, its streams, its imports), not another import of the libraries. The server
holds other people's packages alone: what a step imports of this one is imported in its process, as a user's would.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# What the steps import and what takes its time; a name that is not there is passed over, and costs a moment.
LIBRARIES = [
    "torch",
    "torch.distributed",
    "torch.multiprocessing.spawn",
    "torch.utils.checkpoint",
    "transformers.models.auto.modeling_auto",
    "transformers.modeling_utils",
    "transformers.integrations.sdpa_attention",
    "transformers.masking_utils",
    "transformers.models.qwen3.modeling_qwen3",
    "transformers.models.llama.modeling_llama",
    "transformers.models.gemma3.modeling_gemma3",
    "tokenizers",
    "safetensors.torch",
    "peft",
    "accelerate",
    "pandas",
    "pyarrow.parquet",
    "pyarrow.compute",
    "pyarrow.csv",
    "scipy.stats",
    "scipy.optimize",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.feature_extraction.text",
    "sklearn.metrics",
    "statsmodels.nonparametric.smoothers_lowess",
    "statsmodels.stats.multitest",
    "lifelines",
    "matplotlib.figure",
    "matplotlib.backends.backend_svg",
    "pydantic",
    "jinja2",
    "tqdm",
    "yaml",
]
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(LIBRARIES)


def oncoraft(
    *words: object, cwd: Path | None = None, environment: dict[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[str]:
    """Run the command; status and streams as `subprocess.run(..., text=True)` gives them.

    Raises:
        subprocess.TimeoutExpired: it did not end in time, and was killed.
    """
    return _run(_command, [str(word) for word in words], cwd, environment, timeout)


def modules_after_importing(module: str) -> set[str]:
    """Modules of this package that a fresh process holds once it has imported one."""
    done = _run(_import, [module], None, None, 120)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def _run(
    what: Callable[[Sequence[str]], None], words: list[str], cwd: Path | None, environment: dict[str, str] | None, timeout: float
) -> subprocess.CompletedProcess[str]:
    with tempfile.TemporaryDirectory() as folder:
        streams = [str(Path(folder) / name) for name in ("out", "err")]
        given = (what, words, str(cwd or Path.cwd()), environment or dict(os.environ), streams)
        process: Any = context.Process(target=_be, args=given)
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(words, timeout)
        out, err = (Path(stream).read_text(encoding="utf-8", errors="replace") for stream in streams)
    return subprocess.CompletedProcess(words, process.exitcode, out, err)


def _be(what: Callable[[Sequence[str]], None], words: list[str], cwd: str, environment: dict[str, str], streams: list[str]) -> None:
    """Be the process: its streams, its folder, its environment."""
    for number, stream in enumerate(streams, 1):
        os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT), number)
    sys.stdout, sys.stderr = (open(number, "w", encoding="utf-8", closefd=False) for number in (1, 2))  # noqa: SIM115
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    try:
        what(words)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()


def _command(words: Sequence[str]) -> None:
    sys.argv = ["oncoraft", *words]
    runpy.run_module("oncoraft", run_name="__main__")


def _import(words: Sequence[str]) -> None:
    importlib.import_module(words[0])
    print(json.dumps([name for name in sys.modules if name.split(".")[0] == "oncoraft"]))
