"""Normalisation against its formulas in NumPy."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import kernels


def looped_lrn(a, k, n, alpha, beta):
  """Krizhevsky et al. 2012, section 3.3, one channel at a time."""
  out = np.empty_like(a)
  channels = a.shape[-1]
  for i in range(channels):
    low, high = max(0, i - n // 2), min(channels - 1, i + n // 2)
    total = (a[..., low : high + 1] ** 2).sum(-1)
    out[..., i] = a[..., i] / (k + alpha * total) ** beta
  return out


@pytest.mark.parametrize("channels", [1, 3, 5, 12])
def test_local_response_norm_equals_the_papers_formula(channels):
  image = np.random.default_rng(0).normal(scale=30, size=(2, 3, 4, channels))
  expected = looped_lrn(image, 2.0, 5, 1e-4, 0.75)
  out = kernels.local_response_norm(image.astype(np.float32))
  np.testing.assert_allclose(out, expected, rtol=2e-5)


def test_local_response_norm_equals_pytorchs_with_five_times_alpha():
  # PyTorch: divides by (k + alpha / n * sum) ^ beta; so alpha = 5e-4 there is 1e-4 in the paper.
  image = np.random.default_rng(1).normal(scale=30, size=(1, 2, 2, 9))
  pytorch = looped_lrn(image, 2.0, 5, 5e-4 / 5, 0.75)
  undivided = looped_lrn(image, 2.0, 5, 5e-4, 0.75)
  out = kernels.local_response_norm(image.astype(np.float32))
  np.testing.assert_allclose(out, pytorch, rtol=2e-5)
  assert np.abs(np.asarray(out) - undivided).max() > 0.1


@pytest.mark.parametrize("group", [2, 3, 6])
def test_batch_moments_are_those_of_each_run_of_examples(group):
  x = np.random.default_rng(2).normal(2.0, 3.0, size=(6, 4, 5, 3)).astype(np.float32)
  mean, variance = kernels.batch_moments(x, group)
  runs = x.astype(np.float64).reshape(6 // group, group, 4, 5, 3)
  np.testing.assert_allclose(mean, runs.mean((1, 2, 3)), rtol=1e-5)
  np.testing.assert_allclose(variance, runs.var((1, 2, 3)), rtol=1e-5)


def test_variance_of_a_constant_is_not_negative():
  _, variance = kernels.batch_moments(jnp.full((4, 8, 8, 2), 1234.567), 4)
  assert (np.asarray(variance) >= 0).all()


def test_normalise_applies_each_groups_moments_to_its_run():
  draw = np.random.default_rng(3)
  x = draw.normal(size=(6, 2, 2, 3)).astype(np.float32)
  mean, variance = draw.normal(size=(3, 3)), draw.uniform(0.5, 2, size=(3, 3))
  scale, bias = draw.normal(size=3), draw.normal(size=3)
  out = kernels.normalise(x, *map(jnp.asarray, (mean, variance, scale, bias)), 1e-5)
  for example in range(6):
    m, v = mean[example // 2], variance[example // 2]
    expected = (x[example] - m) / np.sqrt(v + 1e-5) * scale + bias
    np.testing.assert_allclose(out[example], expected, rtol=1e-4, atol=1e-5)


def test_half_precision_comes_back_in_half_precision_but_is_computed_in_single():
  x = np.random.default_rng(4).normal(100.0, 1.0, size=(64, 4, 4, 2))
  half = jnp.asarray(x, jnp.bfloat16)
  mean, variance = kernels.batch_moments(half, 64)
  assert mean.dtype == variance.dtype == jnp.float32
  exact = np.asarray(half, np.float64)
  np.testing.assert_allclose(mean[0], exact.mean((0, 1, 2)), rtol=1e-5)
  out = kernels.normalise(half, mean, variance, jnp.ones(2), jnp.zeros(2), 1e-5)
  assert out.dtype == kernels.local_response_norm(half).dtype == jnp.bfloat16
