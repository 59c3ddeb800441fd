"""The counter of multiply-adds against products worked out by hand."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from jaxnets import kernels
from jaxnets.cost import count_macs

IMAGE = jax.ShapeDtypeStruct((2, 8, 8, 6), jnp.float32)


def kernel(*shape):
  return jax.ShapeDtypeStruct(shape, jnp.float32)


def test_a_convolution_takes_every_tap_of_its_window_also_on_padding():
  same = ((1, 1), (1, 1))
  macs = count_macs(lambda i, k: kernels.conv(i, k, padding=same), IMAGE, kernel(3, 3, 6, 5))
  assert macs == 2 * 8 * 8 * 5 * 9 * 6


def test_a_strided_convolution_costs_by_its_output():
  macs = count_macs(lambda i, k: kernels.conv(i, k, stride=(2, 3)), IMAGE, kernel(3, 2, 6, 5))
  assert macs == 2 * 3 * 3 * 5 * 6 * 6


def test_a_dilated_convolution_costs_its_taps_not_its_reach():
  macs = count_macs(lambda i, k: kernels.conv(i, k, dilation=(2, 2)), IMAGE, kernel(3, 3, 6, 5))
  assert macs == 2 * 4 * 4 * 5 * 9 * 6


def test_a_grouped_convolution_sees_only_the_channels_of_its_group():
  macs = count_macs(lambda i, k: kernels.conv(i, k, groups=3), IMAGE, kernel(1, 1, 2, 9))
  assert macs == 2 * 8 * 8 * 9 * 2


def test_matrix_products_cost_rows_times_columns_times_depth():
  assert count_macs(jnp.dot, kernel(4, 5), kernel(5, 7)) == 4 * 5 * 7
  batched = count_macs(
    lambda a, b: jnp.einsum("bij,bjk->bik", a, b), kernel(3, 4, 5), kernel(3, 5, 7)
  )
  assert batched == 3 * 4 * 5 * 7


def test_a_scan_costs_its_body_times_its_length():
  def function(x, matrices):
    return lax.scan(lambda carry, m: (carry @ m, None), x, matrices)[0]

  assert count_macs(function, kernel(2, 5), kernel(11, 5, 5)) == 11 * 2 * 5 * 5


def test_a_cond_costs_its_dearest_branch():
  def function(p, x, m):
    return lax.cond(p, lambda: (x @ m) @ m, lambda: x @ m)

  flag = jax.ShapeDtypeStruct((), jnp.bool_)
  assert count_macs(function, flag, kernel(2, 5), kernel(5, 5)) == 2 * (2 * 5 * 5)


def test_jit_and_remat_add_nothing():
  def function(x, m):
    return jax.checkpoint(jax.jit(lambda: jnp.tanh(x @ m)))()

  assert count_macs(function, kernel(2, 5), kernel(5, 5)) == 2 * 5 * 5


def test_the_gradient_of_a_convolution_costs_twice_its_forward_pass():
  def loss(image, weights):
    return kernels.conv(image, weights, padding=((1, 1), (1, 1))).sum()

  forward = count_macs(loss, IMAGE, kernel(3, 3, 6, 5))
  both = count_macs(jax.value_and_grad(loss, argnums=(0, 1)), IMAGE, kernel(3, 3, 6, 5))
  assert both == 3 * forward


@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize("side", [6, 7, 13])
@pytest.mark.parametrize(
  ("window", "stride", "spread"), [(3, 1, 1), (3, 2, 1), (5, 3, 1), (2, 2, 1), (3, 1, 2)]
)
@pytest.mark.parametrize("argument", [0, 1])
def test_each_gradient_costs_a_forward_pass_whatever_the_geometry(
  padding, side, window, stride, spread, argument
):
  def loss(image, weights):
    return lax.conv_general_dilated(
      image, weights, (stride, stride), padding, rhs_dilation=(spread, spread),
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
    ).sum()  # fmt: skip

  arguments = kernel(2, side, side, 4), kernel(window, window, 4, 6)
  forward = count_macs(loss, *arguments)
  assert count_macs(jax.value_and_grad(loss, argnums=argument), *arguments) == 2 * forward


def test_a_transposed_convolution_costs_every_pixel_times_every_tap():
  def function(image, weights):
    return lax.conv_transpose(image, weights, (2, 2), "VALID")

  assert count_macs(function, IMAGE, kernel(3, 3, 6, 5)) == 2 * 8 * 8 * 6 * 9 * 5


def test_element_wise_operations_and_pooling_are_free():
  assert count_macs(lambda i: kernels.average_pool(jnp.tanh(i) * i, 2, 2), IMAGE) == 0


def test_a_while_loop_of_unknown_length_with_products_is_refused():
  def function(x, m):
    return lax.while_loop(lambda x: x.sum() < 1, lambda x: x @ m, x)

  with pytest.raises(ValueError, match="unknown number of rounds"):
    count_macs(function, kernel(5, 5), kernel(5, 5))


def test_where_a_platform_has_its_own_form_the_common_one_counts():
  def function(x, m):
    return lax.platform_dependent(x, m, cpu=lambda x, m: x @ m @ m @ m, default=jnp.dot)

  assert count_macs(function, kernel(2, 5), kernel(5, 5)) == 2 * 5 * 5


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_layers_cost_what_they_mean_whatever_form_the_kernels_have(groups):
  def layer(image, weights):
    x = kernels.conv(image, weights, padding=((1, 1), (1, 1)), groups=groups, relu=True)
    x = kernels.local_response_norm(x)
    x, *_ = kernels.batch_norm(x, jnp.ones(6), jnp.ones(6), group=2, epsilon=1e-5)
    return kernels.max_pool(x, 2, 2).sum()

  weights = kernel(3, 3, 6 // groups, 6)
  forward = 2 * 8 * 8 * 6 * 9 * 6 // groups
  assert count_macs(layer, IMAGE, weights) == forward
  both = count_macs(jax.value_and_grad(layer, argnums=(0, 1)), IMAGE, weights)
  assert both == 3 * forward
