"""Activations with planted zeros, planted dead channels and planted rank."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.instruments import activations
from tests.instruments.nets import drawn


def planted(rank: int, channels: int = 12, samples: int = 4096):
  """Samples [2, samples / 2, channels] of so many independent sources of variance 1, mixed."""
  draw = np.random.default_rng(0)
  sources = draw.normal(size=(samples, rank))
  sources = np.linalg.qr(sources - sources.mean(0))[0] * np.sqrt(samples)
  basis = np.linalg.qr(draw.normal(size=(channels, channels)))[0][:rank]
  return jnp.asarray((sources @ basis + draw.normal(size=channels)).reshape(2, -1, channels))


def test_zeros_and_dead_channels_are_found_where_they_were_planted():
  x = np.abs(np.random.default_rng(0).normal(size=(4, 5, 5, 6))) + 0.1
  x[..., 2] = 0  # dead
  x[0, ..., 4] = 0  # dead on one image only
  assert activations.zero_share(jnp.asarray(x)) == pytest.approx((100 + 25) / 600)
  np.testing.assert_array_equal(activations.dead(jnp.asarray(x)), np.arange(6) == 2)


def test_a_unit_that_a_bias_killed_is_dead_in_the_net():
  net, params, stats, images = drawn("vgg11", stem="small", width=0.0625, hidden=16)
  bias = params["stage2"]["conv1"]["bias"]
  params["stage2"]["conv1"]["bias"] = bias.at[jnp.asarray([1, 5])].set(-1e6)
  _, layers = jax.jit(net.look)(params, stats, images)
  output = layers["stage2/conv1"].output
  alive = np.asarray(output).reshape(-1, output.shape[-1]).max(0) > 0
  np.testing.assert_array_equal(activations.dead(output), ~alive)
  assert activations.dead(output)[jnp.asarray([1, 5])].all()
  assert not activations.dead(output).all()
  assert activations.zero_share(layers["stage2/conv1"].response) < 0.01  # before the ReLU


@pytest.mark.parametrize("rank", [1, 3, 12])
def test_the_effective_rank_is_that_of_equal_planted_sources(rank):
  energies = jax.jit(activations.spectrum)(planted(rank))
  np.testing.assert_allclose(energies[:rank], 1, rtol=1e-3)
  assert activations.effective_rank(energies) == pytest.approx(rank, rel=0.01)


def test_large_spectra_are_those_of_numpy_one_by_one_and_together():
  draw = np.random.default_rng(0)
  x = [draw.normal(size=(400, 150)) @ draw.normal(size=(150, 150)) for _ in range(2)]
  x[1][:, :140] = 0  # ten channels are alive
  small = jnp.stack([activations.smaller_covariance(jnp.asarray(one)) for one in x])
  assert small.shape[-1] > activations.LARGE
  found = jax.jit(activations.energies, static_argnums=1)(small, 150)
  for one, energies in zip(x, found, strict=True):
    wanted = np.linalg.eigvalsh(np.cov(one.T, bias=True))[::-1]
    np.testing.assert_allclose(energies, wanted, atol=2e-6 * wanted[0])
  np.testing.assert_allclose(activations.spectrum(jnp.asarray(x[0])), found[0], rtol=1e-4)
  assert activations.effective_rank(found[1]) < 10


@pytest.mark.parametrize("channels", [40, 100])
def test_fewer_samples_than_channels_have_the_spectrum_of_the_covariance(channels):
  x = jnp.asarray(np.random.default_rng(0).normal(size=(40, channels)), jnp.float32)
  assert activations.smaller_covariance(x).shape == (40, 40)
  found = activations.spectrum(x)
  assert found.shape == (channels,)
  wanted = np.linalg.eigvalsh(np.cov(np.asarray(x, np.float64).T, bias=True))[::-1]
  np.testing.assert_allclose(found, wanted, atol=1e-5 * wanted[0])


def test_the_effective_rank_of_unequal_energies_is_the_formula_of_the_paper():
  energies = np.array([8.0, 4.0, 2.0, 2.0, 0.0])
  # H = 1/2 ln 2 + 1/4 ln 4 + 2/8 ln 8 = 7/4 ln 2
  assert activations.effective_rank(jnp.asarray(energies)) == pytest.approx(2**1.75, rel=1e-5)
  assert activations.effective_rank(jnp.zeros(3)) == 0


@pytest.mark.parametrize(
  ("energies", "share", "wanted"),
  [
    ([8, 1, 1, 0], 0.8, 1 / 4),
    ([8, 1, 1, 0], 0.9, 2 / 4),
    ([1, 1, 1, 1], 0.9, 1),
    ([0, 0], 0.9, 0),
  ],
)
def test_components_that_hold_most_of_the_energy_are_counted_by_hand(energies, share, wanted):
  assert activations.components_holding(jnp.asarray(energies, jnp.float32), share) == wanted


def test_the_correlation_of_channels_is_numpys():
  draw = np.random.default_rng(0)
  x = draw.normal(size=(500, 4)) @ draw.normal(size=(4, 4))
  np.testing.assert_allclose(
    activations.correlation(jnp.asarray(x)), np.corrcoef(x.T), atol=1e-5, rtol=1e-4
  )
  size = (np.abs(np.corrcoef(x.T)).sum() - 4) / 12
  assert activations.mean_correlation(jnp.asarray(x)) == pytest.approx(size, abs=1e-5)


def test_the_mean_square_is_that_of_what_was_planted():
  assert activations.mean_square(jnp.asarray([[3.0, 0.0], [0.0, -1.0]])) == pytest.approx(2.5)


def test_a_channel_that_does_not_vary_is_correlated_with_none():
  x = np.random.default_rng(0).normal(size=(50, 3))
  x[:, 1], x[:, 2] = 0, -x[:, 0]
  wanted = [[1, 0, -1], [0, 1, 0], [-1, 0, 1]]
  np.testing.assert_allclose(activations.correlation(jnp.asarray(x)), wanted, atol=1e-6)
  assert activations.mean_correlation(jnp.asarray(x)) == pytest.approx(1)


def test_the_deviation_of_a_response_is_the_scale_of_its_batch_norm():
  net, params, stats, images = drawn("cifar_resnet20", depth=8, width=0.25)
  params["stage2"]["unit1"]["norm2"]["scale"] *= 3.0
  look = jax.jit(lambda *given: net.look(*given, train=True)[1])
  layers = look(params, stats, images)
  found = {path: float(activations.deviation(one.response)) for path, one in layers.items()}
  assert found["stage2/unit1/conv2"] == pytest.approx(3, rel=1e-3)
  assert found["stage2/unit1/conv1"] == pytest.approx(1, rel=1e-3)
