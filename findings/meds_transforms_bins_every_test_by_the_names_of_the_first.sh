#!/usr/bin/env bash
# MEDS-transforms 0.7.0 (polars 1.44.2, meds 0.4.1): the stage bin_numeric_values with bins of one's own
#
# Guess: custom_bins gives each laboratory test the limits written for it, a name and a value each. The manual asks for nothing but "dictionaries with the same
#        structure" as the quantiles, and its example names a limit by its value: HEIGHT: {"160.0": 160.0, "165.0": 165.0}.
# Fact:  the names of the limits of whichever test comes first are the columns of all. A limit with another name is left out without a word: a test with no name in
#        common has one bin, from -inf to inf, and one with a limit more than the first loses it. The same configuration in another order gives other codes.
#        do_drop_numeric_value, as manual and config.yaml spell it, is not read either; drop_numeric_value is, and then the value itself is gone as well.
# Why:   the limits of haemoglobin, PSA and leucocytes have nothing in common. A model trained on the codes sees "PSA measured", 3 and 500 alike; the vocabulary
#        has plausible entries for each test, and the only trace is an interval without limits among thousands of codes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile MEDS-transforms==0.7.0 polars==1.44.2 meds==0.4.1 numpy==2.4.6
cat > bins.py <<'PYTHON'
import sys
import warnings

import polars
from MEDS_transforms.stages.bin_numeric_values.bin_numeric_values import bin_numeric_values_fntr as stage
from omegaconf import DictConfig

HAEMOGLOBIN = {"8.0": 8.0, "10.0": 10.0}  # severe anaemia, anaemia
PSA = {"4.0": 4.0, "10.0": 10.0, "100.0": 100.0}
codes = polars.DataFrame({"code": ["HGB", "PSA"]})
values = polars.DataFrame(
    {"subject_id": [1, 1, 2, 2, 2], "time": [None] * 5, "code": ["HGB", "HGB", "PSA", "PSA", "PSA"], "numeric_value": [7.0, 13.0, 3.0, 50.0, 500.0]},
    schema_overrides={"numeric_value": polars.Float32, "time": polars.Datetime("us")},
)


def binned(bins: dict[str, dict[str, float]], **more: bool) -> polars.DataFrame:
    """The table after the stage with these bins, and no quantiles."""
    return stage(DictConfig({"custom_bins": bins, "bin_with_columns": [], **more}), codes)(values.lazy()).collect()


with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    first, turned = (binned(bins)["code"].to_list() for bins in ({"HGB": HAEMOGLOBIN, "PSA": PSA}, {"PSA": PSA, "HGB": HAEMOGLOBIN}))
    alone = binned({"HGB": HAEMOGLOBIN})["code"].to_list()[:2] + binned({"PSA": PSA})["code"].to_list()[2:]
    named = binned({"HGB": {"severe": 8.0, "mild": 10.0}, "PSA": {"raised": 4.0, "high": 10.0}}, drop_numeric_value=True)
    kept = binned({"PSA": PSA}, do_drop_numeric_value=True)["numeric_value"].to_list()
said = [one for one in said if "MEDS" in str(one.filename) and not issubclass(one.category, DeprecationWarning)]
print(f"guess, each test alone {alone}")
print(f"fact, HGB first        {first}")
print(f"fact, PSA first        {turned}")
print(f"limits with names of their own {named['code'].to_list()[2:]}, values {named['numeric_value'].to_list()[2:]}")
print(f"values after do_drop_numeric_value: {kept}; warnings: {len(said)}")
one_bin = named["code"].to_list()[2:] == ["PSA//value_[-inf,inf)"] * 3 and named["numeric_value"].null_count() == 5
if first[2:] == ["PSA//value_[-inf,10.0)", "PSA//value_[10.0,inf)", "PSA//value_[10.0,inf)"] and first != turned and one_bin and None not in kept and not said:
    sys.exit(0)
sys.exit("changed: each test has its own limits, or they are refused")
PYTHON
venv/bin/python bins.py
