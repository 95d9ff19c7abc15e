"""Arithmetic with logarithms of probabilities."""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, fsum, inf, log


def log_sum(logs: Iterable[float]) -> float:
    """The natural logarithm of the sum of numbers given by their logarithms; -inf for none."""
    terms = tuple(logs)
    largest = max(terms, default=-inf)
    return largest if largest == -inf else largest + log(fsum(exp(term - largest) for term in terms))


def log_likelihood(rate: float, runs: float, bad: float) -> float:
    """Natural logarithm of the probability of one certain sequence of `runs` results, `bad` of them bad.

    `rate` is in [0, 1]; -inf when the rate makes the sequence impossible.
    """
    return _times(bad, rate) + _times(runs - bad, 1 - rate)


def _times(number: float, probability: float) -> float:
    if not number:
        return 0.0
    return number * log(probability) if probability > 0 else -inf
