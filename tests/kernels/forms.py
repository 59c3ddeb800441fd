"""What the tests of the kernels' forms share."""

import jax
import numpy as np
import pytest

from jaxnets.kernels import forms

# Largest difference between a CPU's form and the plain one, as a share of the largest value. Sums
# of many terms in another order differ more; a pooled maximum not at all.
BOUNDS = {
  "conv": 1e-5,
  "conv gradient": 5e-5,
  "conv normalised": 2e-5,
  "norm": 1e-5,
  "norm gradient": 1e-4,
  "max": 0.0,
  "max gradient": 1e-6,
  "average": 1e-6,
  "average gradient": 1e-6,
  "lrn": 1e-6,
  "lrn gradient": 5e-6,
}

needs_onednn = pytest.mark.skipif(
  forms.form() != "onednn", reason="no C++ kernels here, or JAXNETS_KERNELS=plain"
)


def assert_agree(found, expected, bound: float) -> None:
  """Every array of the two trees differs by at most `bound` times its largest value."""
  found, expected = jax.tree.leaves(found), jax.tree.leaves(expected)
  assert len(found) == len(expected)
  for a, b in zip(map(np.asarray, found), map(np.asarray, expected), strict=True):
    assert a.shape == b.shape
    assert a.dtype == b.dtype
    assert np.isfinite(b).all()
    np.testing.assert_allclose(a, b, rtol=0, atol=bound * max(1e-6, np.abs(b).max()))


def gradients(function, cotangent, *arguments):
  """The value of `function` and its gradients with respect to all arguments."""
  value, backward = jax.vjp(function, *arguments)
  return value, backward(cotangent(value))


def draw_array(draw: np.random.Generator, *shape: int) -> np.ndarray:
  return draw.normal(size=shape).astype(np.float32)
