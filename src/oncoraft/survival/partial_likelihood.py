"""Cox's partial likelihood of many covariates, with delayed entry, strata and Efron's correction for ties, for many sets of weights at once.

The information needs no sums of products over risk sets: the sum over deaths of the weighted second moments is, turned round, the sum
over subjects of their own square times the cumulative hazard that they have been under.
Weighted deaths that are tied share their mean weight, as in R's coxph (Therneau and Grambsch 2000, section 3.3).
"""

from __future__ import annotations

from copy import copy
from typing import NamedTuple

import numpy as np

from oncoraft.survival.risk_sets import Array, Subjects
from oncoraft.survival.timeline import timeline_of

MOST_STEPS = 60
MOST_HALVINGS = 30
# Undamped, Newton's steps can run away from a maximum that exists, as beside one far value of a covariate.
LONGEST_STEP = 5.0  # in standard deviations of a covariate
# Twice the rise in log-likelihood that a step promises; a step of less than 1e-6 standard errors is none.
SMALLEST_GAIN = 1e-12
LEVEL_GAIN, LEVEL_STEP = 1e-10, 0.1
SMALLEST_RISK = 1e-300


class Evaluation(NamedTuple):
    """Log-likelihood (b,), gradient (b, p), information (b, p, p) and weighted cumulative hazards (n, b) in the likelihood's order, at b coefficient vectors."""

    value: Array
    gradient: Array
    information: Array
    exposure: Array


class PartialLikelihood:
    """The partial likelihood of n subjects and p covariates.

    Args:
        subjects: follow-up.
        x: covariates, (n, p); centred and of like scale, or exponentials overflow.
        strata: one label a subject, each with a baseline hazard of its own; None for one stratum.
        weights: (n, b) case weights, one column a resample; None: one column of ones.
    """

    def __init__(self, subjects: Subjects, x: Array, strata: Array | None = None, weights: Array | None = None) -> None:
        self.timeline = timeline_of(subjects, strata)
        self._take(np.take(np.asarray(x, dtype=float), self.timeline.order, axis=0))
        self.use(weights)

    def _take(self, x: Array) -> None:
        """Take covariates (n, p) in the order of the subjects."""
        self.x = x
        self.one_and_x = np.empty((len(x), x.shape[1] + 1))
        self.one_and_x[:, 0] = 1
        self.one_and_x[:, 1:] = x

    @property
    def order(self) -> Array:
        """The subjects by stratum and time, numbers of rows as given."""
        return self.timeline.order

    @property
    def deaths(self) -> Array:
        """Those of them who die."""
        return self.timeline.deaths

    def at_deaths(self, values: Array) -> Array:
        """Efron's sums of values (n, m) over the risk set of each death, (d, m)."""
        return self.timeline.at_deaths(values)

    def use(self, weights: Array | None) -> None:
        """Take other case weights, (n, b)."""
        self.weights = np.ones((len(self.x), 1)) if weights is None else np.take(np.asarray(weights, dtype=float), self.order, axis=0)
        self.death_weights = np.take(self.weights, self.timeline.died, axis=0)
        self.mean_weight = self.death_weights if weights is None else self.timeline.shared(self.death_weights)
        self.died_x = self.death_weights.T @ np.take(self.x, self.timeline.died, axis=0)

    def of_columns(self, columns: Array) -> PartialLikelihood:
        """The same subjects with some of the covariates."""
        other = copy(self)
        other._take(np.ascontiguousarray(self.x[:, columns]))
        other.died_x = self.died_x[:, columns]
        return other

    def risk(self, beta: Array) -> tuple[Array, Array]:
        """Linear predictors less their largest, and risks times weights, (n, b), at coefficients (b, p)."""
        linear = self.x @ beta.T
        # Exponentials cannot overflow so; what is taken off cancels in every ratio.
        linear -= linear.max(axis=0, initial=0.0)
        return linear, np.exp(linear) * self.weights

    def evaluate(self, beta: Array) -> Evaluation:
        """Value, gradient and information at each of b coefficient vectors, (b, p)."""
        linear, risk = self.risk(beta)
        n, b = risk.shape
        p = self.x.shape[1]
        sums = self.at_deaths((self.one_and_x[:, :, None] * risk[:, None]).reshape(n, (1 + p) * b))
        total = np.maximum(sums[:, :b], SMALLEST_RISK)
        value = np.sum(self.death_weights * np.take(linear, self.timeline.died, axis=0) - self.mean_weight * np.log(total), axis=0)
        exposure = risk * self.timeline.cumulative_hazard(self.mean_weight / total)
        if b == 1:
            # One product of matrices gives the sums of the covariates and of their squares.
            both = (self.one_and_x * exposure).T @ self.one_and_x
            mean = sums[:, 1:] * (np.sqrt(self.mean_weight) / total)
            return Evaluation(value, self.died_x - both[:1, 1:], (both[1:, 1:] - mean.T @ mean)[None], exposure)
        mean = (sums[:, b:].reshape(len(sums), p, b) / total[:, None, :]).transpose(2, 1, 0)
        spread = (mean * self.mean_weight.T[:, None, :]) @ mean.transpose(0, 2, 1)
        return Evaluation(value, self.died_x - exposure.T @ self.x, self._second_moments(exposure) - spread, exposure)

    def score_residuals(self, beta: Array) -> Array:
        """What each subject adds to the gradient at coefficients (p,), (n, p) in the order given; of tied deaths each has their mean, as in R."""
        risk = self.risk(beta[None])[1]
        sums = self.at_deaths(self.one_and_x * risk)
        mean, hazard = sums[:, 1:] / sums[:, :1], self.mean_weight / sums[:, :1]
        found = -risk * (self.x * self.timeline.cumulative_hazard(hazard) - self.timeline.cumulative_hazard(hazard * mean))
        found[self.timeline.died] += self.x[self.timeline.died] - self.timeline.shared(mean)
        ordered = np.empty_like(found)
        ordered[self.order] = found
        return ordered

    def _second_moments(self, exposure: Array) -> Array:
        """Sums of the squares of the covariates, weighted by exposure (n, b): (b, p, p)."""
        n, p = self.x.shape
        squares = (self.x[:, :, None] * self.x[:, None, :]).reshape(n, p * p)
        found: Array = (exposure.T @ squares).reshape(-1, p, p)
        return found


def maximise(
    likelihood: PartialLikelihood, start: Array, now: Evaluation | None = None, smallest_gain: float = SMALLEST_GAIN
) -> tuple[Array, Evaluation, Array]:
    """Maxima of the partial likelihoods by Newton's method, the step halved wherever the likelihood would fall.

    The likelihood is concave, so that this finds the maximum where there is one.

    Args:
        likelihood: with b columns of weights.
        start: (b, p).
        now: the evaluation at the start, if it is known.
        smallest_gain: where steps end.

    Returns:
        Coefficients (b, p), the evaluation there, and the last Newton step (b, p): large where the likelihood still rises
        without end, as under separation, and nearly zero at a maximum.
    """
    beta, now = start, likelihood.evaluate(start) if now is None else now
    step = np.zeros_like(beta)
    for _ in range(MOST_STEPS):
        step = newton_step(now)
        gain = np.einsum("bp,bp->b", step, now.gradient)
        size = np.abs(step).max(axis=1, initial=0.0)
        # Where a long step promises next to nothing, the likelihood levels off without a maximum.
        done = (gain < smallest_gain) | ((gain < LEVEL_GAIN) & (size > LEVEL_STEP))
        if done.all():
            break
        scale = np.where(done, 0.0, LONGEST_STEP / np.maximum(size, LONGEST_STEP))
        found = likelihood.evaluate(beta + scale[:, None] * step)
        for _ in range(MOST_HALVINGS):
            # Written so that NaN is worse; a fall within rounding is none.
            worse = ~(found.value >= now.value - 1e-9 * (1 + np.abs(now.value)))
            if not worse.any():
                break
            scale[worse] /= 2
            found = likelihood.evaluate(beta + scale[:, None] * step)
        beta, now = beta + scale[:, None] * step, found
    return beta, now, step


def newton_step(at: Evaluation) -> Array:
    """Information's inverse times the gradient; where rounding has made a matrix singular, by its pseudo-inverse."""
    try:
        found: Array = np.linalg.solve(at.information, at.gradient[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        found = (np.linalg.pinv(at.information, hermitian=True) @ at.gradient[:, :, None])[:, :, 0]
    return found
