"""What the kernels promise besides their values, in whichever form the process has."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import kernels, nets
from jaxnets.cost import count_macs
from jaxnets.kernels import forms
from jaxnets.kernels import plain as meant
from tests.kernels.forms import assert_agree, draw_array, needs_onednn

SAME = ((1, 1), (1, 1))
LRN = meant.ResponseNorm(2.0, 5, 1e-4, 0.75)
ROOT = Path(__file__).parents[2]


def layers(image, kernel, scale, bias):
  """Every operation once."""
  x = kernels.conv(image, kernel, bias, padding=SAME, relu=True)
  x, mean, variance = kernels.batch_norm(x, scale, bias, x, group=2, epsilon=1e-5, relu=True)
  x = kernels.max_pool(kernels.local_response_norm(x), 3, 2, SAME)
  x = kernels.average_pool(x, 2, 1)
  moments = (mean.mean(0, keepdims=True), variance.mean(0, keepdims=True), scale, bias)
  return kernels.conv_normalised(x, kernel, None, *moments, 1e-5, padding=SAME, relu=True)


def arguments(seed=0, batch=4, channels=16):
  draw = np.random.default_rng(seed)
  image = draw_array(draw, batch, 9, 8, channels)
  kernel = draw_array(draw, 3, 3, channels, channels) / 10
  return image, kernel, draw_array(draw, channels), draw_array(draw, channels)


def loss(*args):
  return jnp.square(layers(*args)).sum()


STEP = jax.value_and_grad(loss, argnums=(0, 1, 2, 3))


def calls_in(text: str) -> set[str]:
  return set(re.findall(r"jaxnets_\w+", text))


@needs_onednn
def test_a_program_for_the_cpu_calls_the_kernels():
  found = calls_in(jax.jit(STEP).lower(*arguments()).as_text())
  assert {"jaxnets_conv", "jaxnets_conv_image_gradient", "jaxnets_conv_kernel_gradient",
          "jaxnets_norm", "jaxnets_norm_gradient", "jaxnets_max_pool_gradient",
          "jaxnets_average_pool_gradient", "jaxnets_lrn_gradient"} <= found  # fmt: skip


def composed(image, kernel, scale, bias):
  """The same as `layers`, of plain forms."""
  geometry = meant.Geometry((1, 1), SAME, (1, 1), 1)
  x = meant.conv(geometry, True, image, kernel, bias)
  x, mean, variance = meant.batch_norm(2, 1e-5, True, x, scale, bias, x)
  x = meant.max_pool(meant.Windows(3, 2, SAME), meant.response_norm(LRN, x))
  x = meant.average_pool(meant.Windows(2, 1, kernels.NO_PADDING), x)
  moments = (mean.mean(0, keepdims=True), variance.mean(0, keepdims=True), scale, bias)
  return meant.conv_normalised(geometry, 1e-5, True, x, kernel, None, *moments, None)


def composed_loss(*args):
  return jnp.square(composed(*args)).sum()


PLAIN_STEP = jax.value_and_grad(composed_loss, argnums=(0, 1, 2, 3))


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_where_the_default_device_is_another_a_program_is_the_plain_one_to_the_letter(
  platform, monkeypatch
):
  monkeypatch.setattr(forms, "on_cpu", lambda: False)
  assert lowered_text(loss, platform) == lowered_text(composed_loss, platform)
  assert lowered_text(STEP, platform) == lowered_text(PLAIN_STEP, platform)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_a_program_made_on_a_cpu_for_another_device_holds_the_plain_forms(platform):
  for own, plain in ((loss, composed_loss), (STEP, PLAIN_STEP)):
    texts = lowered_text(own, platform), lowered_text(plain, platform)
    assert not calls_in(texts[0])
    found, expected = (
      Counter(re.findall(r"stablehlo\.(convolution|dot_general|select_and_scatter)", text))
      for text in texts
    )
    assert found == expected


def lowered_text(function, platform):
  fresh = jax.jit(lambda *args: function(*args))  # nothing traced before
  return fresh.trace(*arguments()).lower(lowering_platforms=(platform,)).as_text()


def test_the_same_inputs_give_the_same_bits():
  step = jax.jit(STEP)
  args = arguments(batch=16)
  first = jax.tree.map(np.asarray, step(*args))
  for _ in range(20):
    again = jax.tree.map(np.asarray, step(*args))
    assert all(jax.tree.leaves(jax.tree.map(np.array_equal, first, again)))


def test_vmap_over_images_parameters_or_both_equals_a_loop():
  both = [jnp.stack(pair) for pair in zip(arguments(1), arguments(2), strict=True)]
  one = [jnp.asarray(a) for a in arguments(3)]
  for mapped in ((True, False, False, False), (False, True, True, True), (True,) * 4):
    args = [b if m else o for b, o, m in zip(both, one, mapped, strict=True)]
    axes = [0 if m else None for m in mapped]
    found = jax.jit(jax.vmap(STEP, axes))(*args)
    for i in range(2):
      expected = STEP(*(a[i] if m else a for a, m in zip(args, mapped, strict=True)))
      assert_agree(jax.tree.map(lambda a, i=i: a[i], found), expected, 1e-5)


def test_vmap_within_vmap_equals_a_loop():
  draw = np.random.default_rng(0)
  images, kernel = draw_array(draw, 3, 2, 4, 9, 8, 16), arguments()[1]
  moments = draw_array(draw, 2, 3, 16)
  for function in (
    lambda x: kernels.conv(x, kernel),
    lambda x: kernels.max_pool(x, 3, 2),
    lambda x: kernels.batch_norm(x, *moments[0, :2], group=2, epsilon=1e-5)[0],
  ):
    found = jax.vmap(jax.vmap(function))(images)
    for i, j in np.ndindex(3, 2):
      assert_agree(found[i, j], function(images[i, j]), 1e-6)


def test_rematerialised_layers_have_the_same_gradient():
  args = arguments()
  assert_agree(jax.grad(jax.checkpoint(loss))(*args), jax.grad(loss)(*args), 1e-6)


@pytest.mark.parametrize(
  "mistake",
  [
    lambda i, k, s, b: kernels.conv(i, k[:, :, :5]),
    lambda i, k, s, b: kernels.conv(i, k, s[:5]),
    lambda i, k, s, b: kernels.conv(i, k, groups=5),
    lambda i, k, s, b: kernels.conv(i, k, stride=(0, 1)),
    lambda i, k, s, b: kernels.conv(i[0], k),
    lambda i, k, s, b: kernels.conv(i[:, :2, :2], k),
    lambda i, k, s, b: kernels.batch_norm(i, s[:5], b, group=2, epsilon=1e-5),
    lambda i, k, s, b: kernels.batch_norm(i, s, b, i[:2], group=2, epsilon=1e-5),
    lambda i, k, s, b: kernels.batch_norm(i, s, b, group=3, epsilon=1e-5),
    lambda i, k, s, b: kernels.max_pool(i, 2, 0),
    lambda i, k, s, b: kernels.max_pool(i, 11, 1),
    lambda i, k, s, b: kernels.average_pool(i[0], 2, 2),
    lambda i, k, s, b: kernels.conv_normalised(i, k, None, s[None], s[None], s, b[:5], 1e-5),
    lambda i, k, s, b: kernels.conv_normalised(i, k, None, s[None], s[None], s, b, 1e-5, add=i),
  ],
)
def test_a_mistake_in_shapes_is_an_error(mistake):
  with pytest.raises(ValueError, match="must|takes"):
    jax.block_until_ready(mistake(*arguments()))


LEAK = """
import jax
from pathlib import Path
from tests.kernels.test_form_promises import STEP, arguments

def resident():
  return 4096 * int(Path("/proc/self/statm").read_text().split()[1])

args, step = arguments(batch=2), jax.jit(STEP)
for n in (1000, 10_000):
  before = resident()
  for _ in range(n):
    jax.block_until_ready(step(*args))
print((resident() - before) / n)
"""


@needs_onednn
def test_ten_thousand_calls_do_not_leak():
  done = subprocess.run(
    [sys.executable, "-c", LEAK], cwd=ROOT, capture_output=True, text=True, check=True
  )
  assert float(done.stdout) < 64  # bytes a call, of some twenty kernels


@needs_onednn
def test_calls_from_several_threads_at_once_agree():
  from concurrent.futures import ThreadPoolExecutor

  step, args = jax.jit(STEP), arguments()
  expected = step(*args)
  with ThreadPoolExecutor(4) as pool:
    for found in pool.map(lambda _: step(*args), range(40)):
      assert all(jax.tree.leaves(jax.tree.map(np.array_equal, found, expected)))


def test_the_counter_of_multiply_adds_sees_the_plain_form():
  image, kernel, _, bias = arguments()

  def forward(image, kernel):
    return kernels.conv(image, kernel, bias, padding=SAME, relu=True)

  def backward(image, kernel):
    return jax.grad(lambda *a: forward(*a).sum(), argnums=(0, 1))(image, kernel)

  macs = 4 * 9 * 8 * 16 * 9 * 16
  assert count_macs(forward, image, kernel) == macs
  assert count_macs(backward, image, kernel) == 3 * macs


@needs_onednn
@pytest.mark.parametrize(
  ("name", "fields"),
  [
    ("cifar_resnet20", {}),
    ("cifar_resnet20", {"preactivation": True}),
    ("vgg11_bn", {"widths": (8,) * 5, "hidden": 8, "stem": "small"}),
  ],
)
def test_at_inference_a_net_is_convolutions_and_nothing_is_normalised_apart(name, fields):
  net = nets.build(name, classes=10, **fields)
  params, stats = jax.eval_shape(lambda: net.init(jax.random.key(0), (1, 32, 32, 3)))
  image = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
  function = jax.jit(lambda p, s, x: net.apply(p, s, x).logits)
  text = function.lower(params, stats, image).as_text()
  calls = re.findall(r"jaxnets_\w+", text)
  assert calls.count("jaxnets_conv") >= 8
  assert "jaxnets_norm" not in calls
  # What is left of the norms before the first convolution of a pre-activation unit, whose input
  # is also the shortcut, are element-wise operations; elsewhere there are none on images.
  apart = r"stablehlo\.(?:maximum|subtract|multiply)[^\n]*tensor<2x\d+x\d+x\d+xf32>"
  assert bool(re.findall(apart, text)) == ("preactivation" in fields)


TEAM = """
import os, jax, numpy as np
from jaxnets import kernels

def threads():
  return len(os.listdir("/proc/self/task"))

x, w = np.ones((64, 32, 32, 32), np.float32), np.ones((3, 3, 32, 32), np.float32)
program = jax.jit(lambda x, w: kernels.conv(x, w)).lower(x, w).compile()
other = jax.jit(lambda x: x @ x.T)
for _ in range(5):
  jax.block_until_ready(other(x.reshape(-1, 1024)))
before = threads()
jax.block_until_ready(program(x, w))
print(threads() - before)
"""


@needs_onednn
@pytest.mark.parametrize("threads", [1, 3])
def test_as_many_threads_compute_as_openmp_is_told(threads):
  environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
  done = subprocess.run(
    [sys.executable, "-c", TEAM], env=environment, capture_output=True, text=True, check=True
  )
  assert int(done.stdout) == threads  # none were there before the first call
