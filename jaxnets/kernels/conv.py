"""Convolution."""

import jax
from jax import lax

# Pixels added before and after each of height and width.
Padding = tuple[tuple[int, int], tuple[int, int]]
NO_PADDING: Padding = ((0, 0), (0, 0))


def conv(
  image: jax.Array,
  kernel: jax.Array,
  *,
  stride: tuple[int, int] = (1, 1),
  padding: Padding = NO_PADDING,
  dilation: tuple[int, int] = (1, 1),
  groups: int = 1,
) -> jax.Array:
  """Cross-correlation of an image with a kernel, the networks' "convolution".

  Args:
    image: [batch, height, width, in].
    kernel: [height, width, in / groups, out]; same dtype as the image.
    stride: step of the window in height and width.
    padding: zeros before and after height and width.
    dilation: distance between neighbouring taps of the kernel.
    groups: channels are split into this many independent convolutions (AlexNet, section 3.2).

  Returns:
    [batch, height', width', out], dtype of the image.
  """
  return lax.conv_general_dilated(
    image,
    kernel,
    window_strides=stride,
    padding=padding,
    rhs_dilation=dilation,
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
    feature_group_count=groups,
  )
