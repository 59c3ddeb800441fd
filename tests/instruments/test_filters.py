import jax.numpy as jnp
import numpy as np

from jaxnets.instruments.filters import filter_grid


def test_each_filter_stands_in_its_place_stretched_by_its_own_weights():
  kernel = np.random.default_rng(0).normal(size=(3, 2, 3, 5)).astype(np.float32)
  kernel[..., 1] = 7.0  # all weights equal
  grid = np.asarray(filter_grid(jnp.asarray(kernel), columns=3))
  assert grid.shape == (2 * 3, 3 * 2, 3)
  for n in (0, 2, 3, 4):
    row, column = divmod(n, 3)
    place = grid[3 * row : 3 * row + 3, 2 * column : 2 * column + 2]
    one = kernel[..., n]
    np.testing.assert_allclose(place, (one - one.min()) / (one.max() - one.min()), atol=1e-6)
  assert (grid[:3, 2:4] == 0.5).all()
  assert (grid[3:, 4:] == 0).all()
