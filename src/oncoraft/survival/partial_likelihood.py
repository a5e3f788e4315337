"""Cox's partial likelihood of many covariates, with delayed entry, strata and Efron's correction for ties, for many sets of weights at once.

A risk set's sum is what has entered less what has left, so that one pass over the sorted times serves every death; the strata lie behind one another
in the same pass. The information needs no sums of products over risk sets: the sum over deaths of the weighted second moments is,
turned round, the sum over subjects of their own square times the cumulative hazard that they have been under.
Weighted deaths that are tied share their mean weight, as in R's coxph (Therneau and Grambsch 2000, section 3.3).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from oncoraft.survival.risk_sets import Array, Subjects

MOST_STEPS = 60
MOST_HALVINGS = 30
LONGEST_STEP = 5.0  # in standard deviations of a covariate
# Twice the rise in log-likelihood that a step promises; a step of less than 1e-6 standard errors is none.
SMALLEST_GAIN = 1e-12
LEVEL_GAIN, LEVEL_STEP = 1e-7, 0.1
SMALLEST_RISK = 1e-300


class Evaluation(NamedTuple):
    """Log-likelihood (b,), gradient (b, p) and information (b, p, p) at b coefficient vectors."""

    value: Array
    gradient: Array
    information: Array


class PartialLikelihood:
    """The partial likelihood of n subjects and p covariates.

    Args:
        subjects: follow-up.
        x: covariates, (n, p); centred and of like scale, or exponentials overflow.
        strata: one label a subject, each with a baseline hazard of its own; None for one stratum.
        weights: (b, n) case weights, one row a resample; None: one row of ones.
    """

    def __init__(self, subjects: Subjects, x: Array, strata: Array | None = None, weights: Array | None = None) -> None:
        codes = np.zeros(len(subjects), dtype=int) if strata is None else np.unique(strata, return_inverse=True)[1]
        times = np.unique(np.concatenate([subjects.entry, subjects.exit]))
        leaves = codes * len(times) + np.searchsorted(times, subjects.exit)
        order = np.argsort(leaves, kind="stable")  # everything below is in the order of leaving
        leaves = leaves[order]
        enters = (codes * len(times) + np.searchsorted(times, subjects.entry))[order]
        event = subjects.event[order]
        self.order = order
        self.x = np.ascontiguousarray(np.asarray(x, dtype=float)[order].T)  # (p, n): sums run along a row
        self.by_entry = np.argsort(enters, kind="stable")
        self.x_by_entry = np.ascontiguousarray(self.x[:, self.by_entry])
        moments, self.died_at, deaths = np.unique(leaves[event], return_inverse=True, return_counts=True)
        self.deaths = np.flatnonzero(event)
        self.first_death = np.concatenate([[0], np.cumsum(deaths)[:-1]]).astype(int)
        self.entered = np.searchsorted(enters[self.by_entry], moments, side="left")
        self.left = np.searchsorted(leaves, moments, side="left")
        self.until_exit = np.searchsorted(moments, leaves, side="right")
        self.until_entry = np.searchsorted(moments, enters, side="right")
        # Efron: the j-th of d tied deaths sees the risk set less j/d of the tied ones.
        self.moment = np.repeat(np.arange(len(moments)), deaths)
        self.part = (np.arange(len(self.moment)) - self.first_death[self.moment]) / deaths[self.moment]
        self.has_ties = len(self.moment) > len(moments)
        self.squares: Array | None = None
        self.use(weights)

    def use(self, weights: Array | None) -> None:
        """Take other case weights, (b, n) in the order of the subjects."""
        n = len(self.order)
        self.weights = np.ones((1, n)) if weights is None else np.asarray(weights, dtype=float)[:, self.order]
        self.death_weights = self.mean_weight = self.weights[:, self.deaths]
        if self.has_ties:
            self.mean_weight = (self.sums_of_deaths(self.death_weights) / np.bincount(self.moment))[:, self.moment]
        self.died_x = self.death_weights @ self.x[:, self.deaths].T

    def sums_of_deaths(self, of_deaths: Array) -> Array:
        """Sums over the deaths of each moment, along the last axis."""
        return np.add.reduceat(of_deaths, self.first_death, axis=-1) if len(self.first_death) else of_deaths

    def sums_at_risk(self, by_entry: Array, by_exit: Array) -> Array:
        """Sums over the risk set of each moment, along the last axis: of those who have entered, less those who have left."""
        found = np.take(np.cumsum(by_entry, axis=-1), self.entered - 1, axis=-1)  # somebody has always entered before a death
        late = int(np.searchsorted(self.left, 0, side="right"))
        found[..., late:] -= np.take(np.cumsum(by_exit, axis=-1), self.left[late:] - 1, axis=-1)
        return found

    def totals(self, risk: Array) -> Array:
        """Efron's sum of the risk at each death, (b, d)."""
        dying = self.sums_of_deaths(risk[:, self.deaths]) if self.has_ties else risk[:, self.deaths]
        # Those who die are at risk: rounding must not take the sum below theirs.
        found = np.maximum(self.sums_at_risk(risk[:, self.by_entry], risk), dying)
        if self.has_ties:
            found = found[:, self.moment] - self.part * dying[:, self.moment]
        floored: Array = np.maximum(found, SMALLEST_RISK)
        return floored

    def means(self, risk: Array, total: Array) -> Array:
        """Mean of the covariates in the risk set of each death, (b, p, d)."""
        weighted = risk[:, None, :] * self.x
        sums = self.sums_at_risk(risk[:, None, self.by_entry] * self.x_by_entry, weighted)
        if self.has_ties:
            sums = sums[..., self.moment] - self.part * self.sums_of_deaths(weighted[..., self.deaths])[..., self.moment]
        found: Array = sums / total[:, None, :]
        return found

    def evaluate(self, beta: Array) -> Evaluation:
        """Value, gradient and information at each of b coefficient vectors, (b, p)."""
        linear = beta @ self.x
        linear -= linear.max(axis=1, keepdims=True)
        risk = np.exp(linear) * self.weights
        total = self.totals(risk)
        value = np.sum(self.death_weights * linear[:, self.deaths], axis=1) - np.sum(self.mean_weight * np.log(total), axis=1)
        exposure = risk * self._cumulative_hazard(self.mean_weight / total)
        gradient = self.died_x - exposure @ self.x.T
        if len(exposure) == 1:
            second = ((self.x * exposure) @ self.x.T)[None]
        else:
            second = (exposure @ self._products()).reshape(-1, len(self.x), len(self.x))
        mean = self.means(risk, total)
        return Evaluation(value, gradient, second - (mean * self.mean_weight[:, None, :]) @ np.swapaxes(mean, 1, 2))

    def _cumulative_hazard(self, hazard: Array) -> Array:
        """The hazard that each subject has been under while at risk, per unit of risk."""
        steps = self.sums_of_deaths(hazard) if self.has_ties else hazard
        total = np.zeros((len(steps), steps.shape[1] + 1))
        np.cumsum(steps, axis=1, out=total[:, 1:])
        found = np.take(total, self.until_exit, axis=1) - np.take(total, self.until_entry, axis=1)
        if self.has_ties:
            found[:, self.deaths] -= self.sums_of_deaths(self.part * hazard)[:, self.died_at]
        return found

    def _products(self) -> Array:
        """Products of each subject's covariates, (n, p * p)."""
        if self.squares is None:
            self.squares = (self.x[:, None, :] * self.x[None, :, :]).reshape(-1, self.x.shape[1]).T.copy()
        return self.squares


def maximise(likelihood: PartialLikelihood, start: Array, now: Evaluation | None = None) -> tuple[Array, Evaluation, Array]:
    """Maxima of the partial likelihoods by Newton's method, the step halved wherever the likelihood would fall.

    The likelihood is concave, so that this finds the maximum where there is one.

    Args:
        likelihood: with b rows of weights.
        start: (b, p).
        now: the evaluation at the start, if it is known.

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
        done = (gain < SMALLEST_GAIN) | ((gain < LEVEL_GAIN) & (size > LEVEL_STEP))
        if done.all():
            break
        scale = np.where(done, 0.0, np.minimum(1.0, LONGEST_STEP / np.maximum(size, LONGEST_STEP)))
        found = likelihood.evaluate(beta + scale[:, None] * step)
        for _ in range(MOST_HALVINGS):
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
