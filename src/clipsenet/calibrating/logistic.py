"""A logistic curve whose weights keep their signs, so that the probability is monotone in each feature."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import minimize
from scipy.special import expit

RIDGE = 1e-4
"""Of the mean loss: it decides between features that say the same, and keeps separable examples from infinite weights."""


@dataclass(frozen=True, eq=False)
class Curve:
    """P = 1 / (1 + exp(-(intercept + weights . x))).

    Attributes:
        intercept: at x = 0.
        weights: ``(features,)``.
    """

    intercept: float
    weights: Float[np.ndarray, " features"]

    def probability(self, x: Float[np.ndarray, "n features"]) -> Float[np.ndarray, " n"]:
        """``(n,)`` of standardised features, 0 to 1."""
        p: Float[np.ndarray, " n"] = expit(self.intercept + x @ self.weights)
        return p


def fit_curve(
    x: Float[np.ndarray, "n features"],
    right: Bool[np.ndarray, " n"],
    weight: Float[np.ndarray, " n"],
    signs: Int[np.ndarray, " features"],
) -> Curve:
    """The least weighted log loss plus ``RIDGE`` / 2 x the squared weights, by L-BFGS within bounds.

    Args:
        x: standardised features.
        right: what is predicted; some of both kinds.
        weight: of each example, from 0.
        signs: 1 for a weight from 0 up, -1 for one from 0 down.
    """
    assert right.any(), "nothing to fit: no example is right"
    assert not right.all(), "nothing to fit: every example is right"
    share = weight / weight.sum()

    def loss(parameters: Float[np.ndarray, " p"]) -> tuple[float, Float[np.ndarray, " p"]]:
        score = parameters[0] + x @ parameters[1:]
        value = share @ (np.logaddexp(0, score) - right * score) + RIDGE / 2 * (parameters[1:] @ parameters[1:])
        slope = share * (expit(score) - right)
        return float(value), np.concatenate([[slope.sum()], slope @ x + RIDGE * parameters[1:]])

    rate = float(np.clip(share @ right, 1e-6, 1 - 1e-6))
    start = np.concatenate([[np.log(rate / (1 - rate))], np.zeros(x.shape[1])])
    bounds = [(None, None), *((0, None) if sign > 0 else (None, 0) for sign in signs.tolist())]
    found = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 2000, "ftol": 1e-13, "gtol": 1e-9}
    )
    return Curve(float(found.x[0]), np.asarray(found.x[1:], dtype=np.float64))
