"""Local quadratic regression as R's `loess(y ~ x)` does it (Cleveland and Grosse 1991): span 3/4, degree 2, fitted at the vertices of a
kd-tree and joined by cubics. Equal to R's fitted values; once set up for given x, fitting is linear, so that a whole bootstrap is
two matrix products. In a resample the vertices and bandwidths stay those of the full sample.
"""

from __future__ import annotations

import numpy as np

from oncoraft.evaluation.discrimination import Array

SPAN, CELL, MARGIN = 0.75, 0.2, 0.005  # R's defaults; the margin is that of its bounding box
DEGREE = 2


class Loess:
    """Local regression on fixed x.

    Args:
        x: (cases,), finite.
    """

    def __init__(self, x: Array) -> None:
        self.vertices = _vertices(np.sort(x, kind="stable"))
        distance = x[:, None] - self.vertices
        # R adds the same 1e-5, so that rounding does not lose a case of a whole product.
        near = max(DEGREE + 1, int(len(x) * SPAN + 1e-5))
        bandwidth = np.partition(np.abs(distance), min(near, len(x)) - 1, axis=0)[min(near, len(x)) - 1]
        # Where so many cases share one x that all of a vertex lie on the edge of its neighbourhood, they would have no weight. R refuses
        # ("all data on boundary of neighborhood. make span bigger"); here the neighbourhood is made as wide as the scale of probabilities.
        self.scale = np.where(bandwidth > np.abs(distance).min(axis=0), bandwidth, 1.0)
        u = distance / self.scale
        kernel = np.where(np.abs(u) < 1, (1 - np.abs(u) ** 3) ** 3, 0.0)
        self.moments = np.stack([kernel * u**power for power in range(2 * DEGREE + 1)])  # (powers, cases, vertices)
        self.basis = self._basis(x)

    def _basis(self, x: Array) -> Array:
        """Cubic Hermite weights of the two vertices around each x, (cases, 2 * vertices): of the values, then of the slopes."""
        v, rows = self.vertices, np.arange(len(x))
        left = np.clip(np.searchsorted(v, x, side="left") - 1, 0, len(v) - 2)
        h = v[left + 1] - v[left]
        t = (x - v[left]) / h
        basis = np.zeros((len(x), 2 * len(v)))
        basis[rows, left], basis[rows, left + 1] = (1 - t) ** 2 * (1 + 2 * t), t**2 * (3 - 2 * t)
        basis[rows, len(v) + left], basis[rows, len(v) + left + 1] = t * (1 - t) ** 2 * h, -(t**2) * (1 - t) * h
        return basis

    def fit(self, y: Array, weight: Array | None = None) -> Array:
        """Smoothed y at every x, (..., cases), for each row of weights (..., cases)."""
        w = np.ones((1, len(y))) if weight is None else np.atleast_2d(weight).astype(float)
        curve = self.curve(w @ self.columns(y))
        return curve[0] if weight is None or np.ndim(weight) == 1 else curve

    def columns(self, y: Array) -> Array:
        """What a fit sums over the cases, each times its weight, (cases, sums)."""
        return np.concatenate([*self.moments, *(self.moments[: DEGREE + 1] * y[:, None])], axis=1)

    def curve(self, sums: Array) -> Array:
        """Smoothed y at every x, (fits, cases), from the weighted sums of `columns`, (fits, sums)."""
        sums = sums.reshape(len(sums), -1, len(self.vertices)).swapaxes(1, 2)
        left, right = sums[..., : 2 * DEGREE + 1], sums[..., 2 * DEGREE + 1 :]
        powers = np.add.outer(np.arange(DEGREE + 1), np.arange(DEGREE + 1))
        # A pseudo-inverse, since a resample may hold fewer distinct x around a vertex than the parabola has coefficients.
        coefficient = (np.linalg.pinv(left[..., powers], hermitian=True) @ right[..., None])[..., 0]
        parameters = np.concatenate([coefficient[..., 0], coefficient[..., 1] / self.scale], axis=-1)
        found: Array = parameters @ self.basis.T
        return found


def _vertices(ordered: Array) -> Array:
    """Vertices of the one-dimensional kd-tree: cells of more than `CELL * SPAN` of the cases are cut at their median case."""
    most = int(len(ordered) * SPAN * CELL)
    low, high = ordered[0], ordered[-1]
    margin = MARGIN * max(high - low, 1e-10 * max(abs(low), abs(high)) + 1e-30)
    cuts, cells = [low - margin, high + margin], [(0, len(ordered) - 1)]
    while cells:
        first, last = cells.pop()
        if last - first + 1 <= most:
            continue
        # The median case, or the one nearest to it where its neighbour differs: a cut may not part equal x.
        places = first + np.flatnonzero(np.diff(ordered[first : last + 1]) > 0)
        if len(places):
            middle = int(places[np.argmin(np.abs(places - (first + last) // 2))])
            cuts.append(ordered[middle])
            cells += [(first, middle), (middle + 1, last)]
    return np.unique(cuts)
