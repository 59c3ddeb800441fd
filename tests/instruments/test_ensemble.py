"""Dropout's masks, all of them and some of them, against the averages that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.errors import ConfigError
from jaxnets.instruments.ensemble import masked_logits, mean_of_masks, over_all_masks
from tests.instruments.nets import drawn


def layer(n, outputs=3):
  draw = np.random.default_rng(n)
  return jnp.asarray(draw.normal(size=n), jnp.float32), jnp.asarray(
    draw.normal(size=(n, outputs)), jnp.float32
  )


@pytest.mark.parametrize(("n", "rate"), [(1, 0.5), (6, 0.2), (10, 0.5)])
def test_the_mean_over_all_masks_of_a_linear_layer_is_the_layer_without_masks(n, rate):
  x, weights = layer(n)
  results, chances = over_all_masks(lambda x: x @ weights, x, rate)
  assert results.shape == (2**n, 3)
  assert chances.sum() == pytest.approx(1, rel=1e-6)
  np.testing.assert_allclose(chances @ results, x @ weights, atol=1e-5)
  # And the variance is the closed form rate / (1 - rate) * sum of (w x)^2.
  variance = chances @ jnp.square(results - x @ weights)
  wanted = rate / (1 - rate) * jnp.square(x[:, None] * weights).sum(0)
  np.testing.assert_allclose(variance, wanted, rtol=1e-4)


def test_the_geometric_mean_of_softmax_over_all_masks_is_that_of_weight_scaling():
  # Srivastava et al. 2014, section 7.5 and Warde-Farley et al. 2013: exact for one softmax layer.
  x, weights = layer(8)
  results, chances = over_all_masks(lambda x: jax.nn.log_softmax(x @ weights), x, 0.5)
  np.testing.assert_allclose(
    jax.nn.softmax(chances @ results), jax.nn.softmax(x @ weights), rtol=1e-4
  )
  arithmetic = chances @ jnp.exp(results)
  assert jnp.abs(arithmetic - jax.nn.softmax(x @ weights)).max() > 1e-3  # which is another mean


def test_random_masks_before_the_last_layer_have_the_mean_and_spread_of_weight_scaling():
  rate, masks = 0.5, 400
  net, params, stats, images = drawn("mlp", side=4, depth=2, hidden=12, dropout=rate)
  sample = jax.jit(lambda key: masked_logits(net, params, stats, images, key, masks))
  logits = np.asarray(sample(jax.random.key(3)))
  output, layers = net.look(params, stats, images)
  kernel = params["head"]["kernel"]
  spread = np.sqrt(rate / (1 - rate) * np.square(layers["hidden1"].output) @ np.square(kernel))
  error = (logits.mean(0) - output.logits) / (spread / masks**0.5)
  assert np.abs(error).max() < 4  # of twelve numbers, in standard errors
  np.testing.assert_allclose(logits.std(0), spread, rtol=0.2)


def test_masks_that_would_not_be_all_that_differs_are_refused():
  key = jax.random.key(0)
  net, params, stats, images = drawn("mlp", depth=2, hidden=4)
  with pytest.raises(ConfigError, match="has no dropout"):
    masked_logits(net, params, stats, images, key)
  net, params, stats, images = drawn("mlp", depth=2, hidden=4, dropout=0.5, norm="batch")
  with pytest.raises(ConfigError, match=r"net.norm \(=batch\)"):
    masked_logits(net, params, stats, images, key)
  with pytest.raises(ConfigError, match=r"units \(=17\)"):
    over_all_masks(lambda x: x, jnp.ones(17), 0.5)


def test_the_mean_of_masks_is_the_mean_of_their_predictions_at_the_rate_that_is_given():
  net, params, stats, images = drawn("mlp", side=4, depth=2, hidden=12, dropout=0.5)
  key = jax.random.key(3)
  for rate in (None, 0.2):
    each = masked_logits(net, params, stats, images, key, 20, dropout=rate)
    mean = mean_of_masks(each)
    wanted = np.mean([jax.nn.softmax(one) for one in each], axis=0)
    np.testing.assert_allclose(jnp.exp(mean), wanted, rtol=1e-5)
  half, fifth = (
    masked_logits(net, params, stats, images, key, 20, dropout=rate).std(0).mean()
    for rate in (0.5, 0.2)
  )
  assert fifth < half  # fewer units dropped, less spread
