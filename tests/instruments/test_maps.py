"""Class activation maps against the logits that they add up to, Grad-CAM against them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.errors import ConfigError
from jaxnets.instruments.maps import class_activation_map, grad_cam
from tests.instruments.nets import drawn

CLASSES = jnp.asarray([0, 1, 2, 1])
NETS = [
  ("cifar_resnet20", {"depth": 8, "width": 0.25}),
  ("cifar_resnet20_v2", {"depth": 8, "width": 0.25}),
  ("vgg11", {"stem": "small", "width": 0.0625, "head": "gap", "side": 32}),
]


@pytest.mark.parametrize(("name", "fields"), NETS)
def test_a_class_activation_map_adds_up_to_the_logit_and_grad_cam_is_a_part_of_it(name, fields):
  net, params, stats, images = drawn(name, **fields)
  params["head"]["bias"] = jnp.asarray([1.0, 2.0, 3.0])
  cam = class_activation_map(net, params, stats, images, CLASSES)
  logits = net.apply(params, stats, images).logits
  wanted = logits[jnp.arange(4), CLASSES] - params["head"]["bias"][CLASSES]
  np.testing.assert_allclose(cam.mean((1, 2)), wanted, rtol=1e-4, atol=1e-6)

  places = cam.shape[1] * cam.shape[2]
  gradient = jax.jit(lambda *given: grad_cam(net, *given, relu=False))
  np.testing.assert_allclose(
    gradient(params, stats, images, CLASSES) * places, cam, rtol=1e-4, atol=1e-5
  )


def test_grad_cam_sees_the_one_place_that_decides():
  net, params, stats, images = drawn("vgg11", stem="small", width=0.0625, hidden=16)
  # Weights of one, so that all values are positive where the image is not zero.
  params = jax.tree.map(lambda x: jnp.ones_like(x) / x.size, params)
  images = jnp.zeros_like(images).at[:, 1, 6].set(1.0)
  params = jax.tree_util.tree_map_with_path(
    lambda path, x: x * 0 if path[-1].key == "bias" else x, params
  )
  cam = grad_cam(net, params, stats, images, CLASSES, "stage1/conv1")
  assert cam.shape == (4, 8, 8)
  found = np.asarray(cam[0] > 0)
  wanted = np.zeros((8, 8), bool)
  wanted[0:3, 5:8] = True  # the 3x3 around the pixel
  np.testing.assert_array_equal(found, wanted)


def test_grad_cam_keeps_what_speaks_for_the_class_only():
  net, params, stats, images = drawn(*NETS[0][:1], **NETS[0][1])
  given = (net, params, stats, images, CLASSES, "stage2/unit1/conv2")
  raw, kept = grad_cam(*given, relu=False), grad_cam(*given)
  assert raw.min() < 0
  np.testing.assert_array_equal(kept, np.maximum(raw, 0))


def test_what_cannot_be_mapped_is_said():
  net, params, stats, images = drawn("vgg11", stem="small", width=0.0625, hidden=16)
  with pytest.raises(ConfigError, match=r"net.head=gap, or Grad-CAM"):
    class_activation_map(net, params, stats, images, CLASSES)
  with pytest.raises(
    ConfigError, match=r"no maps at 'hidden1'\nIts layers with maps: stage1/conv1"
  ):
    grad_cam(net, params, stats, images, CLASSES, "hidden1")
