"""Convolution against a loop over output pixels."""

import numpy as np
import pytest

from jaxnets import kernels


def looped_conv(image, kernel, stride, padding, dilation):
  """One group, one tap at a time, float64."""
  image = np.pad(image.astype(np.float64), ((0, 0), *padding, (0, 0)))
  reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel.shape[:2], strict=True)]
  sizes = [(n - r) // s + 1 for n, r, s in zip(image.shape[1:3], reach, stride, strict=True)]
  out = np.zeros((image.shape[0], *sizes, kernel.shape[-1]))
  for i, j in np.ndindex(*sizes):
    for u, v in np.ndindex(*kernel.shape[:2]):
      pixel = image[:, i * stride[0] + u * dilation[0], j * stride[1] + v * dilation[1]]
      out[:, i, j] += pixel @ kernel[u, v]
  return out


@pytest.mark.parametrize(
  ("window", "stride", "padding", "dilation"),
  [
    ((3, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    ((5, 3), (2, 1), ((0, 2), (1, 0)), (1, 1)),
    ((2, 3), (1, 2), ((1, 0), (2, 2)), (2, 3)),
    ((1, 1), (2, 2), ((0, 0), (0, 0)), (1, 1)),
  ],
)
def test_conv_equals_a_loop_over_pixels(window, stride, padding, dilation):
  draw = np.random.default_rng(0)
  image = draw.normal(size=(2, 9, 8, 3)).astype(np.float32)
  kernel = draw.normal(size=(*window, 3, 4)).astype(np.float32)
  out = kernels.conv(image, kernel, stride=stride, padding=padding, dilation=dilation)
  expected = looped_conv(image, kernel, stride, padding, dilation)
  np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-5)


def test_grouped_conv_equals_separate_convs_on_the_parts():
  draw = np.random.default_rng(1)
  image = draw.normal(size=(2, 6, 6, 6)).astype(np.float32)
  kernel = draw.normal(size=(3, 3, 2, 12)).astype(np.float32)
  out = kernels.conv(image, kernel, padding=((1, 1), (1, 1)), groups=3)
  parts = [
    looped_conv(i, k, (1, 1), ((1, 1), (1, 1)), (1, 1))
    for i, k in zip(np.split(image, 3, -1), np.split(kernel, 3, -1), strict=True)
  ]
  np.testing.assert_allclose(out, np.concatenate(parts, -1), rtol=1e-5, atol=1e-5)
