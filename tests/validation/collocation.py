"""Collocation in Chebyshev points: what independent solutions of differential equations here have in common."""

import numpy as np


def chebyshev(n):
    """Points on [-1, 1] and the matrix of the derivative; Trefethen, Spectral Methods in MATLAB (2000), chapter 6."""
    k = np.arange(n + 1)
    x = -np.cos(np.pi * k / n)
    c = np.where((k == 0) | (k == n), 2.0, 1.0) * (-1.0) ** k
    d = np.outer(c, 1 / c) / (x[:, None] - x + np.eye(n + 1))
    return x, d - np.diag(d.sum(axis=1))
