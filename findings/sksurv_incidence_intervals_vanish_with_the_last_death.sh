# scikit-survival 0.28.0 (numpy 2.4.6): confidence intervals of cumulative_incidence_competing_risks
#
# Guess: var_type chooses among three estimators of the variance that differ in the third decimal; conf_int[0] is the interval of any event, lower limit first,
#        at conf_level, as those of the single causes are.
# Fact:  with "Dinse" or "Dinse_Approx" everything hangs on the patient followed longest. If he is censored, all is well; if he has an event, the last risk set
#        is divided by 0 and, through a masked sum, the variance at every time, the first included, is no number: each interval is as narrow as a point (0.289 to 0.289
#        where it is 0.229 to 0.352). And conf_int[0] has its upper limit first and is of 95 % whatever conf_level says.
# Why:   progression with death as competing risk is the endpoint of a real-world cohort, and in a small regimen the longest follow-up often ends in an event.
#        An interval without width looks like a drawing fault or like certainty; numpy's two warnings do not name it. The default, "Aalen", is right.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --no-compile scikit-survival==0.28.0 numpy==2.4.6 pandas==2.3.3 scikit-learn==1.9.1 scipy==1.17.1
cat > incidence.py <<'PYTHON'
import sys

import numpy as np
from sksurv.nonparametric import cumulative_incidence_competing_risks as incidence

draws = np.random.default_rng(1)
event_time, censored_at = draws.exponential(10, 300).round(3) + 0.001, draws.exponential(15, 300).round(3) + 0.0005
cause = draws.choice([1, 2], 300)
event = np.where(event_time <= censored_at, cause, 0)
months = np.minimum(event_time, censored_at)
longest = int(np.argmax(months))


def of_first_cause(var_type, last, **words):
    """Estimate and limits of cause 1 at ten months, with the longest follow-up ended by `last`; all times whose interval has no width."""
    ended = event.copy()
    ended[longest] = last
    with np.errstate(all="ignore"):
        times, share, limits = incidence(ended, months, conf_type="log-log", var_type=var_type, **words)
    at = int(np.searchsorted(times, 10))
    return share[1][at], limits[1][:, at], float(np.mean(limits[1][0] == limits[1][1])), limits[0][:, at]


failed = False
for var_type in ("Aalen", "Dinse", "Dinse_Approx"):
    for last, word in ((0, "censored"), (1, "an event")):
        estimate, (low, high), points, _ = of_first_cause(var_type, last)
        print(f"{var_type:12s} longest follow-up {word:8s}: {estimate:.3f} ({low:.3f} to {high:.3f}), {points:.0%} of all times without width")
        vanishes = var_type != "Aalen" and last == 1
        if (points == 1.0) != vanishes:
            failed = True
wide, narrow = of_first_cause("Aalen", 0, conf_level=0.95), of_first_cause("Aalen", 0, conf_level=0.5)
print("cause 1 at 95 % and at 50 %:", wide[1].round(3), narrow[1].round(3), " any event:", wide[3].round(3), narrow[3].round(3))
if wide[3][0] < wide[3][1] or not np.array_equal(wide[3], narrow[3]) or np.array_equal(wide[1], narrow[1]):
    failed = True
sys.exit("changed: the intervals are other ones" if failed else 0)
PYTHON
venv/bin/python incidence.py
