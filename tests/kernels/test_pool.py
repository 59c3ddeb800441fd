"""Pooling against a loop over windows."""

import numpy as np
import pytest

from jaxnets import kernels

OPERATIONS = {
  "max": (kernels.max_pool, np.max),
  "average": (kernels.average_pool, np.mean),
}


def looped_pool(image, reduce, window, stride, padding):
  """Each window cut to the pixels that exist."""
  (top, bottom), (left, right) = padding
  height, width = image.shape[1:3]
  rows = (height + top + bottom - window) // stride + 1
  columns = (width + left + right - window) // stride + 1
  out = np.zeros((image.shape[0], rows, columns, image.shape[3]))
  for i, j in np.ndindex(rows, columns):
    y, x = i * stride - top, j * stride - left
    part = image[:, max(y, 0) : y + window, max(x, 0) : x + window]
    out[:, i, j] = reduce(part, axis=(1, 2))
  return out


@pytest.mark.parametrize("kind", OPERATIONS)
@pytest.mark.parametrize(
  ("window", "stride", "padding"),
  [
    (2, 2, ((0, 0), (0, 0))),
    (3, 2, ((0, 0), (0, 0))),
    (3, 2, ((0, 1), (0, 1))),  # partial windows at the end
    (3, 1, ((1, 1), (1, 1))),
    (5, 3, ((2, 1), (0, 2))),
  ],
)
def test_pooling_equals_a_loop_in_which_padding_does_not_exist(kind, window, stride, padding):
  image = np.random.default_rng(0).normal(size=(2, 7, 8, 3)).astype(np.float32) - 3
  operation, reduce = OPERATIONS[kind]
  expected = looped_pool(image, reduce, window, stride, padding)
  np.testing.assert_allclose(
    operation(image, window, stride, padding), expected, rtol=1e-6, atol=1e-6
  )


@pytest.mark.parametrize(("n", "bounds"), [(14, [(0, 4), (3, 7), (7, 11), (10, 14)]), (4, None)])
def test_adaptive_pooling_averages_the_windows_of_pytorch(n, bounds):
  image = np.random.default_rng(1).normal(size=(2, n, n, 3)).astype(np.float32)
  bounds = bounds or [(i, i + 1) for i in range(4)]
  expected = np.stack(
    [np.stack([image[:, a:b, c:d].mean((1, 2)) for c, d in bounds], 1) for a, b in bounds], 1
  )
  np.testing.assert_allclose(kernels.adaptive_average_pool(image, 4), expected, atol=1e-6)
