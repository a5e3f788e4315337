"""Tails of the distributions that tests end in: scipy's functions themselves, whose wrappers in scipy.stats cost a hundred times as much a call."""

from __future__ import annotations

from math import isinf

from scipy.special import chdtrc, fdtrc, ndtr, ndtri


def quantile_of(confidence: float) -> float:
    """Half the width of a normal interval in standard errors: 1.96 for 0.95."""
    return float(ndtri(0.5 + confidence / 2))


def two_sided(z: float) -> float:
    """Two-sided p of a standard normal value."""
    return float(2 * ndtr(-abs(z)))


def chi_squared(value: float, degrees: int = 1) -> float:
    """Upper tail of the chi-squared distribution."""
    return float(chdtrc(degrees, value))


def f_tail(value: float, degrees: float) -> float:
    """Upper tail of the F distribution with one and as many degrees of freedom; with no end of them, of chi-squared."""
    return chi_squared(value) if isinf(degrees) else float(fdtrc(1, degrees, value))
