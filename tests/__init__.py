"""The tests mirror the package. Random examples are the same for the same code, so that a verdict can be had again.

`HYPOTHESIS_PROFILE=explore` draws new ones each time, for a search that may take long.
"""

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True)
settings.register_profile("explore", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
