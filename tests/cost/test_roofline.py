"""Bounds worked out by hand on a made-up device, the table of real ones, and the stop-watch."""

import math
import os
import re

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.sharding import AbstractMesh
from jax.sharding import PartitionSpec as P

from jaxnets import nets
from jaxnets.cost import devices
from jaxnets.cost.devices import DEVICES, Device
from jaxnets.cost.program import trace
from jaxnets.cost.roofline import bound
from jaxnets.cost.timing import compare, least_in_turns, time_steps
from jaxnets.errors import ConfigError

# 1000 float32 FLOP/s, 4000 bfloat16 FLOP/s, 100 byte/s.
MADE_UP = Device("made-up", (), {"float32": 1e3, "bfloat16": 4e3}, "float32", 1e2, 10**6, "here")


def array(*shape, dtype="float32"):
  return jax.ShapeDtypeStruct(shape, dtype)


def at(function, *arguments, device=MADE_UP, **options):
  return bound(trace(function, *arguments), device, **options)


def test_a_small_product_takes_as_long_as_its_operands_and_result_move():
  got = at(jnp.dot, array(3, 5), array(5, 7))
  flops, moved = 2 * 3 * 5 * 7, 4 * (3 * 5 + 5 * 7 + 3 * 7)
  assert (got.flops, got.bytes) == (flops, moved)
  assert got.intensity == flops / moved
  assert got.memory_seconds == got.bound_seconds == moved / 100
  assert got.compute_seconds == flops / 1000
  assert (got.limited_by, got.device) == ("memory", "made-up")


def test_a_large_product_takes_as_long_as_its_flops():
  got = at(jnp.dot, array(90, 90), array(90, 90))
  assert got.bound_seconds == got.compute_seconds == 2 * 90**3 / 1000
  assert got.memory_seconds == 4 * 3 * 90**2 / 100
  assert got.limited_by == "compute"


def conv(image, kernel, padding="VALID"):
  return lax.conv_general_dilated(
    image, kernel, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC")
  )


@pytest.mark.parametrize(("channels", "limit"), [(1, "memory"), (64, "compute")])
def test_a_convolution_is_limited_by_memory_when_thin_and_by_compute_when_wide(channels, limit):
  got = at(conv, array(2, 6, 6, channels), array(3, 3, channels, channels))
  flops = 2 * (2 * 4 * 4 * channels) * (9 * channels)
  moved = 4 * (2 * 6 * 6 * channels + 9 * channels**2 + 2 * 4 * 4 * channels)
  assert (got.flops, got.bytes) == (flops, moved)
  assert got.bound_seconds == max(flops / 1000, moved / 100)
  assert got.limited_by == limit


def test_taps_on_padding_cost_no_time():
  # Of a 3x3 window over 4x4 values, three rows and columns of taps meet 3, 4 and 3 of them.
  got = at(lambda i, k: conv(i, k, "SAME"), array(1, 4, 4, 1), array(3, 3, 1, 1))
  assert got.flops == 2 * 10 * 10


def test_bfloat16_halves_the_traffic_and_has_its_own_peak():
  image, kernel = array(2, 6, 6, 16), array(3, 3, 16, 16)
  wide = at(conv, image, kernel)
  narrow = at(conv, *(array(*a.shape, dtype="bfloat16") for a in (image, kernel)))
  assert narrow.compute_seconds == wide.compute_seconds / 4
  assert narrow.memory_seconds == wide.memory_seconds / 2


def test_operations_do_not_overlap_each_other():
  def function(x, w, a, b):
    return x @ w, a @ b

  slow, fast = (array(90, 90),) * 2, (array(2, 1), array(1, 90))
  both, first, second = (
    at(f, *a) for f, a in ((function, slow + fast), (jnp.dot, slow), (jnp.dot, fast))
  )
  assert (first.limited_by, second.limited_by) == ("compute", "memory")
  assert both.bound_seconds == first.bound_seconds + second.bound_seconds
  assert both.bound_seconds > max(both.compute_seconds, both.memory_seconds)


def test_an_element_wise_chain_between_two_products_is_free():
  def plain(x, v, w):
    return (x @ v) @ w

  def chained(x, v, w):
    return jnp.tanh((x @ v) * 2 - jnp.arange(6.0)) @ w.T.T

  shapes = array(3, 5), array(5, 6), array(6, 7)
  assert at(chained, *shapes) == at(plain, *shapes)
  assert at(plain, *shapes).bytes == 4 * (3 * 5 + 5 * 6 + 3 * 6) + 4 * (3 * 6 + 6 * 7 + 3 * 7)


def test_a_chain_is_read_and_written_where_it_is_narrowest():
  def function(x, v, w):
    product = (x @ v).astype(jnp.float32) + 1
    return product.astype(jnp.bfloat16) @ w.astype(jnp.bfloat16)

  x, v, w = array(8, 5, dtype="bfloat16"), array(5, 6, dtype="bfloat16"), array(6, 7, dtype="int8")
  middle = 2 * 8 * 6
  assert at(function, x, v, w).bytes == 2 * (40 + 30) + middle + middle + 42 + 2 * 8 * 7


def test_an_input_is_read_once_as_wide_as_it_is():
  got = at(lambda x, w: x.astype(w.dtype) @ w, array(8, 5), array(5, 7, dtype="bfloat16"))
  assert got.bytes == 4 * 40 + 2 * (35 + 56)
  assert got.compulsory_seconds == got.bytes / 100


def test_a_chain_to_an_output_is_one_write():
  def function(x, w):
    return jnp.maximum(x @ w, 0) * 3

  shapes = array(3, 5), array(5, 7)
  assert at(function, *shapes).bytes == at(jnp.dot, *shapes).bytes
  assert at(lambda x: jnp.tanh(x) * 3, array(3, 5)).bytes == 2 * 4 * 15


def test_each_output_is_written_once_and_serves_who_reads_it():
  def both(x, w):
    product = x @ w
    return product, jnp.tanh(product)

  def again(x, v, w):
    activations = jnp.tanh(x @ v)
    return activations, activations @ w

  x, v, w = array(3, 5), array(5, 6), array(6, 7)
  assert at(both, x, v).bytes == at(jnp.dot, x, v).bytes + 4 * 3 * 6
  assert at(again, x, v, w).bytes == at(lambda x, v, w: (x @ v) @ w, x, v, w).bytes


def test_a_sum_of_a_product_is_made_while_it_is_on_the_device():
  assert at(lambda x, w: (x @ w).sum(), array(3, 5), array(5, 7)).bytes == 4 * (15 + 35 + 1)
  assert at(lambda x: x.sum(), array(3, 5)).bytes == 4 * (15 + 1)


def test_a_product_of_a_matrix_with_itself_reads_it_once():
  assert at(lambda x: x @ x.T, array(3, 5)).bytes == 4 * (15 + 9)


def test_each_part_of_a_concatenation_is_read():
  def function(a, b, v, w):
    return jnp.concatenate([a @ v, b @ v]) @ w

  got = at(function, array(3, 5), array(4, 5), array(5, 6), array(6, 2))
  assert got.bytes == 4 * ((15 + 30 + 18) + (20 + 30 + 24) + (18 + 24 + 12 + 14))


def test_pooling_and_its_gradient_read_and_write():
  def pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")

  image = array(1, 8, 8, 3)
  assert at(pool, image).bytes == 4 * 3 * (64 + 16)
  twice = at(lambda x, y: pool(jax.vjp(pool, x)[1](y)[0]), image, array(1, 4, 4, 3))
  assert twice.bytes == 4 * 3 * (64 + 16 + 64) + 4 * 3 * (64 + 16)


def test_an_input_that_is_only_added_to_a_gradient_is_read():
  def step(w, momentum, x):
    return momentum * 0.9 + jax.grad(lambda w: ((x @ w) ** 2).sum())(w)

  # The product is kept for its gradient, which is not written itself but the sum with it.
  got = at(step, array(5, 7), array(5, 7), array(3, 5))
  assert got.bytes == 4 * ((15 + 35 + 21) + (15 + 21) + (35 + 35))


def test_a_number_written_in_the_program_moves_nothing():
  assert at(lambda x: (1.0, x), array(5)).bytes == 0


def test_of_a_table_only_what_is_picked_is_read():
  got = at(lambda t, w: t[10:13] @ w, array(100, 5), array(5, 7))
  assert got.bytes == 4 * (15 + 35 + 21)


def test_a_scan_takes_its_rounds():
  def function(x, matrices):
    return lax.scan(lambda carry, m: (jnp.tanh(carry @ m), None), x, matrices)[0]

  loop, round_ = (
    at(function, array(2, 5), array(11, 5, 5)),
    at(jnp.dot, array(2, 5), array(5, 5)),
  )
  assert loop.flops == 11 * round_.flops
  assert loop.bytes == 11 * round_.bytes
  assert math.isclose(loop.bound_seconds, 11 * round_.bound_seconds)


def test_sequences_of_a_scan_move_and_what_it_holds_does_not():
  def function(x, constant, w, sequence):
    return lax.scan(lambda carry, s: (carry + s, carry * constant), x, sequence @ w)[1]

  got = at(function, array(5), array(5), array(5, 5), array(11, 5))
  assert got.bytes == 4 * ((55 + 25 + 55) + 11 * (5 + 5))


def test_a_loop_does_not_hide_behind_a_product():
  def loop(sequence):
    return lax.scan(lambda carry, s: (carry, s * 2), 0.0, sequence)[1]

  x, sequence = array(90, 90), array(1000, 5)
  alone, product = at(loop, sequence), at(jnp.dot, x, x)
  both = at(lambda x, s: (x @ x.T, loop(s)), x, sequence)
  assert (alone.limited_by, product.limited_by) == ("memory", "compute")
  assert math.isclose(both.bound_seconds, alone.bound_seconds + product.bound_seconds)


def test_a_while_loop_of_unknown_length_with_products_is_refused():
  def function(x, m):
    return lax.while_loop(lambda x: x.sum() < 1, lambda x: x @ m, x)

  with pytest.raises(ValueError, match="unknown number of rounds"):
    at(function, array(5, 5), array(5, 5))


def test_devices_share_a_global_batch_and_the_shards_of_a_shard_map_alike():
  x, w = array(8, 5), array(5, 7)
  mesh = AbstractMesh((4,), ("data",))
  shards = jax.shard_map(jnp.dot, mesh=mesh, in_specs=(P("data"), P()), out_specs=P("data"))
  one, local = at(jnp.dot, x, w), at(jnp.dot, array(2, 5), w)
  split, mapped = at(jnp.dot, x, w, devices=4), at(shards, x, w, devices=4)
  assert split.flops == mapped.flops == local.flops == one.flops / 4
  assert split.bytes == one.bytes / 4
  assert mapped.bytes == local.bytes  # each shard reads all of w
  cast = at(lambda x, w: shards(x, w.astype(x.dtype)), array(8, 5, dtype="bfloat16"), w, devices=4)
  assert cast.bytes == 2 * (2 * 5 + 5 * 7 + 2 * 7)
  assert split.bound_seconds == one.bound_seconds / 4
  with pytest.raises(ConfigError, match=re.escape("devices (=0) must be at least 1")):
    at(jnp.dot, x, w, devices=0)


@pytest.mark.parametrize(
  ("precision", "peak"), [(None, 4), ("high", 4), ("highest", 1), ("BF16_BF16_F32", 9)]
)
def test_a_float32_product_runs_at_the_peak_of_the_precision_it_asks_for(precision, peak):
  device = MADE_UP._replace(
    peaks={"float32": 1.0, "tensorfloat32": 4.0, "bfloat16": 9.0}, float32_in="tensorfloat32"
  )
  x = array(10, 10)
  got = at(lambda x: jnp.dot(x, x, precision=precision), x, device=device)
  assert got.compute_seconds == 2 * 10**3 / peak


def test_a_foreign_call_moves_its_arguments_and_results():
  def function(x, w):
    return jax.pure_callback(lambda x: x, array(2, 7), x) @ w

  got = at(function, array(5), array(7, 3))
  assert got.bytes == 4 * ((5 + 14) + (14 + 21 + 6))


def test_training_moves_no_more_than_with_all_that_is_known_to_fuse():
  # Of CIFAR ResNet-20 an image has 188,416 outputs of convolutions, and 187,392 inputs. Each is
  # given, and taken by two gradients; both take the images, which have no gradient.
  net = nets.build("cifar_resnet20", dtype="bfloat16")
  params, stats = jax.eval_shape(lambda key: net.init(key, (1, 32, 32, 3)), jax.random.key(0))

  def loss(params, images, labels):
    logits = net.apply(params, stats, images, train=True).logits
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1).mean()

  stats = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), stats)
  batch = 256
  images, labels = array(batch, 32, 32, 3), array(batch, dtype="int32")
  got = at(jax.value_and_grad(loss), params, images, labels)
  least = 2 * (3 * 188_416 + 3 * 187_392 - 32 * 32 * 3)
  assert 0.97 * least < got.bytes / batch < 1.03 * least
  # All MACs of the paper's count, those on padding too, forward and twice backward.
  assert 0.9 < got.flops / batch / (6 * 40.5e6) < 1


@pytest.mark.parametrize("device", DEVICES, ids=lambda device: device.name)
def test_a_row_of_the_table_is_whole(device):
  assert device.source
  assert not device.measured
  assert device.peaks["bfloat16"] >= device.peaks["float32"]
  assert device.peaks[device.float32_in] >= device.peaks["float32"]
  # Trillions of FLOP/s, from hundreds of GB/s to some TB/s, gigabytes: units are not mixed up.
  assert 1e13 < device.peaks[device.float32_in] < 1e15
  assert 8e11 < device.bandwidth < 5e12
  assert 16 * 2**30 <= device.memory <= 141 * 2**30
  for kind in (*device.kinds, device.name, device.name.upper()):
    assert devices.find(kind) is device


@pytest.mark.parametrize(
  ("kind", "name"),
  [
    ("Tesla V100-SXM2-16GB", "v100-16gb"),
    ("NVIDIA A100-SXM4-40GB", "a100-40gb"),
    ("NVIDIA H100 80GB HBM3", "h100"),
    ("NVIDIA H200", "h200"),
    ("TPU v3", "tpu-v3"),
    ("TPU v4", "tpu-v4"),
    ("TPU v5 lite", "tpu-v5e"),
    ("TPU v5p", "tpu-v5p"),
    ("TPU v6 lite", "tpu-v6e"),
  ],
)
def test_what_jax_calls_a_device_is_found(kind, name):
  assert devices.find(kind).name == name


def test_an_unknown_device_is_refused_with_the_nearest_name():
  with pytest.raises(
    ConfigError, match=r'no device "h10"\. Did you mean "h100"\?\nAll names: v100'
  ):
    devices.find("h10")


def test_the_cpu_is_measured_once():
  cpu = devices.find("cpu")
  assert cpu is devices.find(jax.devices("cpu")[0].device_kind) is devices.measured_cpu()
  assert cpu.measured
  assert cpu.memory == os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
  assert cpu.peaks["bfloat16"] >= cpu.peaks["float32"]
  # Between a slow and a fast machine; a mistaken unit or a run that is not waited for is outside.
  assert 1e9 < cpu.peaks["float32"] < 1e14
  assert 1e8 < cpu.bandwidth < 1e13


def test_steps_are_timed_after_those_that_warm_up():
  now, taken = 0.0, iter([100, 50, 1, 2, 3, 4, 5, 9, 7])  # seconds of each step

  def run():
    nonlocal now
    now += next(taken)
    return jnp.zeros(())

  timing = time_steps(run, steps=7, warmup=2, clock=lambda: now)
  assert timing == (4, 1, 2.5, 6, 7)
  assert next(taken, None) is None


def test_a_step_that_gives_its_state_away_is_timed():
  step = jax.jit(lambda state: state + 1, donate_argnums=0)
  state = jnp.zeros(8)

  def run():
    nonlocal state
    state = step(state)
    return state

  timing = time_steps(run, steps=4, warmup=1)
  assert state[0] == 5
  assert 0 < timing.minimum_seconds <= timing.lower_quartile_seconds <= timing.measured_seconds


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"warmup": -1}])
def test_a_timing_of_no_step_is_refused(wrong):
  with pytest.raises(ConfigError, match="Time 20 steps"):
    time_steps(lambda: None, **wrong)


def test_a_measured_time_is_compared_with_a_bound_and_never_taken_for_one():
  now = 0.0

  def run():
    nonlocal now
    now += 3 * least.bound_seconds

  least = at(jnp.dot, array(3, 5), array(5, 7))
  timing = time_steps(run, steps=3, clock=lambda: now)
  assert compare(timing, least) == pytest.approx(3)
  assert "measured_seconds" in timing._fields
  assert "measured_seconds" not in least._fields
  assert "bound_seconds" not in timing._fields


def test_steps_take_turns_and_the_least_of_each_counts():
  now, order = 0.0, []
  seconds = {"a": iter([3.0, 2.0, 5.0]), "b": iter([1.0, 4.0, 7.0])}

  def step(name):
    nonlocal now
    order.append(name)
    now += next(seconds[name])

  runs = {name: lambda name=name: step(name) for name in seconds}
  assert least_in_turns(runs, 3, clock=lambda: now) == {"a": 2.0, "b": 1.0}
  assert order == ["a", "b"] * 3
