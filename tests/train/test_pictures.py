"""What the file of pictures says, beside the net it is of."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import config, runs
from jaxnets.data.records import Info, Source
from jaxnets.instruments import filters, maps
from jaxnets.train import looking, pictures
from jaxnets.train.state import State
from tests.instruments.nets import drawn
from tests.train.tiny import plain_prepare, tiny_batch


def pictured(name: str, **fields):
  """(what `make_picture` gives, parameters, statistics, images as the net gets them)."""
  net, params, stats, _ = drawn(name, channels=1, **fields)
  batch, prepare = tiny_batch(), plain_prepare()
  state = State(jnp.zeros((), jnp.int32), params, stats, (), None, ())
  found = jax.jit(pictures.make_picture(net, prepare))(state, batch)
  return found, net, params, stats, prepare(None, batch)[0]


def test_a_residual_net_gives_filters_predictions_and_both_maps_for_them():
  found, net, params, stats, images = pictured("cifar_resnet20", depth=8, width=0.25)
  said = net.apply(params, stats, images).logits.argmax(-1)
  np.testing.assert_array_equal(found["predictions"], said)
  np.testing.assert_allclose(found["filters"], filters.filter_grid(params["stem"]["kernel"], 8))
  np.testing.assert_array_equal(found["filters_shape"], [3, 3, 8, 4])
  wanted = maps.class_activation_map(net, params, stats, images, said)
  np.testing.assert_allclose(found["cam"], wanted, atol=1e-5)
  # Selvaraju et al. 2017, section 3: the one is the other's positive part, by the places of a map.
  ((at, cam),) = found["grad_cam"].items()
  assert at == "maps"
  np.testing.assert_allclose(cam, jax.nn.relu(wanted) / wanted[0].size, atol=1e-5)


def test_a_net_with_a_fully_connected_head_gives_grad_cam_at_its_last_convolution():
  found, net, params, stats, images = pictured("vgg11", stem="small", width=0.0625, hidden=16)
  ((at, cam),) = found["grad_cam"].items()
  assert at == "stage5/conv2"
  assert "cam" not in found
  wanted = maps.grad_cam(net, params, stats, images, found["predictions"], at)
  np.testing.assert_allclose(cam, wanted, atol=1e-6)


def test_a_net_without_maps_gives_no_pictures():
  found, *_ = pictured("mlp", depth=2, hidden=8)
  assert found == {}


def test_weights_of_each_place_and_of_other_inputs_are_no_filters():
  conv = {"kernel": np.zeros((3, 3, 1, 4)), "bias": np.zeros(4)}
  places = {"kernel": np.zeros((8, 8, 1, 4)), "bias": np.zeros((8, 8, 4))}
  tree = {"a": {"conv": conv, "places": places, "dense": {"kernel": np.zeros((64, 4))}}}
  assert pictures.first_kernel(tree, "a/conv", 1) is conv["kernel"]
  for path, channels in (("a/conv", 3), ("a/places", 1), ("a/dense", 1), ("b", 1)):
    assert pictures.first_kernel(tree, path, channels) is None


def test_the_file_keeps_the_first_filters_and_renews_the_rest(tmp_path):
  facts = {"images": np.zeros((2, 4, 4, 1), np.uint8), "labels": np.array([0, 1]),
           "split": "validation", "classes": ("cat", "dog")}  # fmt: skip
  for step in (1, 5, 9):
    found = {"grad_cam": {"maps": np.full((2, 1, 1), step)}, "filters": np.full((3, 3, 1), step),
             "filters_shape": np.array([3, 3, 8, 1]), "predictions": np.array([1, 1])}  # fmt: skip
    pictures.write(tmp_path, step, found, facts)
  read = runs.read_pictures(tmp_path)
  assert (read["step_first"], read["step_last"]) == (1, 9)
  assert (read["filters_first"].max(), read["filters_last"].min()) == (1, 9)
  assert read["grad_cam"].max() == 9
  assert str(read["grad_cam_at"]) == "maps"
  assert list(read["classes"]) == ["cat", "dog"]
  assert [one.name for one in tmp_path.iterdir()] == ["pictures.npz"]
  # A run that begins again does not keep what an earlier one had begun with.
  pictures.write(tmp_path, 1, found, facts)
  assert runs.read_pictures(tmp_path)["filters_first"].max() == 9


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut off"])
def test_a_file_that_is_missing_or_cut_off_reads_as_no_pictures(content, tmp_path):
  if content is not None:
    (tmp_path / "pictures.npz").write_bytes(content)
  assert runs.read_pictures(tmp_path) == {}


def test_the_images_are_the_first_of_each_class_then_the_second():
  labels = np.array([2, 2, 2, 0, 1, 1, 0, 2, 2, 2], np.int32)
  images = np.arange(10, dtype=np.uint8)[:, None, None, None] * np.ones((4, 4, 1), np.uint8)
  info = Info("planted", ("a", "b", "c"), {"train": 10}, "test", 4, 1, True, "0")
  source = Source(info, "validation", labels, images, None)
  base = config.base("cifar_resnet20", "digits", depth=8)
  one = SimpleNamespace(validation=source, training=None, config=base)
  split, batch = looking.shown_of(one)
  assert split == "validation"
  assert batch["image"][:, 0, 0, 0].tolist() == [3, 4, 0, 6, 5, 1, 2, 7]
  assert batch["label"].tolist() == [0, 1, 2, 0, 1, 2, 2, 2]
