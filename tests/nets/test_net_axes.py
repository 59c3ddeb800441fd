"""The axes: where their defaults live, what each value may be, what the errors say."""

import dataclasses
import importlib
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest

from jaxnets import nets
from jaxnets.errors import ConfigError
from jaxnets.nets.variants import AXES, CHOICES, RANGES, VARIANTS

FAMILIES = sorted(AXES)
KEY = jax.random.key(0)


def test_names_and_axes_are_known_without_jax():
  program = (
    "import sys, json; from jaxnets import nets; nets.resolve('vgg16', {'width': 0.5}); "
    "print(json.dumps([m for m in ('jax', 'flax', 'numpy') if m in sys.modules]))"
  )
  out = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
  assert json.loads(out.stdout) == []


@pytest.mark.parametrize("family", FAMILIES)
def test_the_fields_of_a_module_are_the_axes_of_its_family_and_have_no_other_defaults(family):
  module = importlib.import_module(f"jaxnets.nets.{family}").NET
  fields = {f.name: f for f in dataclasses.fields(module) if f.name not in ("parent", "name")}
  assert set(fields) == {*AXES[family], "classes", "dtype", "norm_group"}
  assert all(field.default is dataclasses.MISSING for field in fields.values())


@pytest.mark.parametrize("family", FAMILIES)
def test_choices_belong_to_axes_and_allow_the_defaults(family):
  for axis, choices in CHOICES[family].items():
    default = AXES[family][axis]
    assert set(default if isinstance(default, tuple) else (default,)) <= set(choices)
  for axis, default in AXES[family].items():
    assert isinstance(default, bool) or axis in RANGES or axis in CHOICES[family]


@pytest.mark.parametrize("name", VARIANTS)
def test_every_row_differs_from_its_family_only_in_values_that_are_allowed(name):
  assert nets.resolve(name, nets.variant(name).fields) == nets.axes(name)


@pytest.mark.parametrize(
  ("name", "fields", "said"),
  [
    ("resnet50", {"width": 0.0}, r"net.width \(=0.0\) must be above 0"),
    ("resnet50", {"width": -1}, r"net.width \(=-1.0\) must be above 0"),
    ("vgg16", {"width": float("nan")}, r"net.width \(=nan\) must be above 0"),
    ("vgg16", {"width": float("inf")}, r"net.width \(=inf\) must be .* finite"),
    ("vgg16", {"kernel": 4}, r"net.kernel \(=4\) must be odd"),
    ("vgg16", {"kernel": -3}, r"net.kernel \(=-3\) must be odd and at least 1"),
    ("vgg16", {"units": (2, 2, -1, 2, 2)}, r"net.units .* must be at least 1"),
    ("vgg16", {"units": (2, 2, 2.0, 2, 2)}, r"net.units .* must be a tuple of int"),
    ("vgg16", {"remat": (0,)}, r"net.remat .* must be at least 1"),
    ("alexnet", {"dropout": 1.0}, r"net.dropout \(=1.0\) must be at least 0 and below 1"),
    ("alexnet", {"dropout": -0.1}, r"net.dropout \(=-0.1\) must be"),
    ("alexnet", {"first_kernels": (11, 4)}, r"net.first_kernels .* must be odd"),
    ("alexnet", {"groups": 0}, r"net.groups \(=0\) must be at least 1"),
    ("alexnet", {"widths": ()}, r"net.widths \(=\(\)\) must be a tuple of int"),
    ("alexnet", {"lrn": 1}, r"net.lrn \(=1\) must be bool"),
    ("mlp", {"depth": 0}, r"net.depth \(=0\) must be at least 1"),
    ("mlp", {"kernel": 3}, 'no axis "kernel"'),
    ("mlp", {"actvation": "relu"}, 'Did you mean "activation"'),
    ("googlenet", {"branches": ("1x1", "7x7")}, "must be one of 1x1, 3x3, 5x5, pool"),
    ("googlenet", {"branches": ("1x1", "1x1")}, "twice"),
    ("googlenet", {"branches": ()}, "must be a tuple of str"),
    ("googlenet", {"remat": (2,)}, "must be one of 3, 4, 5"),
    ("googlenet", {"aux_weight": -1.0}, r"net.aux_weight \(=-1.0\) must be 0 or more"),
    ("googlenett", {}, 'Did you mean "googlenet'),
    ("resnet50", {"norm": "btach"}, 'Did you mean "batch"'),
  ],
)
def test_a_value_that_cannot_be_is_an_error_with_field_got_and_wanted(name, fields, said):
  with pytest.raises(ConfigError, match=said):
    nets.build(name, **fields)


@pytest.mark.parametrize(
  ("name", "fields", "said"),
  [
    ("cifar_resnet20", {"depth": 21}, "must be 6n.2.*nearest: 20"),
    ("cifar_resnet20", {"units": (1, 1)}, "one number per stage"),
    ("cifar_resnet20", {"widths": (32, 16, 8)}, "must not fall"),
    ("cifar_resnet20", {"groups": 3}, "net.groups .* must divide"),
    ("cifar_resnet20", {"remat": (4,)}, "stages 1 to 3"),
    ("alexnet", {"depth": 5}, "6 to 12; nearest: 6"),
    ("alexnet", {"depth": 30}, "6 to 12; nearest: 12"),
    ("alexnet", {"widths": (96, 256)}, "five numbers"),
    ("alexnet", {"first_kernels": (11,)}, "must be two"),
    ("vgg16", {"depth": 15}, "11, 13, 16, 19.*nearest: 16"),
    ("vgg16", {"units": (1, 2)}, "one number per stage"),
    ("googlenet", {"depth": 23}, "even and at least 10; nearest: 22"),
    ("googlenet", {"units": (2, 5)}, "three numbers"),
    ("inception_v3", {"depth": 50}, "5n.28.*nearest: 48"),
    ("inception_v3", {"units": (3,)}, "three numbers"),
  ],
)
def test_a_combination_that_cannot_be_built_is_an_error_that_names_the_nearest(name, fields, said):
  net = nets.build(name, **fields)
  with pytest.raises(ConfigError, match=said):
    jax.eval_shape(lambda key: net.init(key, (1, 224, 224, 3)), KEY)


@pytest.mark.parametrize(
  ("fields", "said"),
  [
    ({"classes": 0}, "classes"),
    ({"dtype": "float16"}, "dtype .* must be one of"),
    ({"norm_group": -1}, "norm_group"),
  ],
)
def test_what_is_not_an_axis_is_checked_too(fields, said):
  with pytest.raises(ConfigError, match=said):
    nets.build("mlp", **fields)


def test_whole_numbers_stand_for_floats_and_lists_for_tuples():
  net = nets.build("vgg16", width=1, units=[1, 1, 1, 1, 1])
  assert net.fields["width"] == 1.0
  assert type(net.fields["width"]) is float
  assert net.fields["units"] == (1, 1, 1, 1, 1)


def test_a_batch_that_its_statistics_groups_do_not_divide_is_an_error():
  net = nets.build("mlp", norm="batch", norm_group=4)
  params, stats = net.init(KEY, (1, 4, 4, 1))
  with pytest.raises(ConfigError, match=r"norm_group \(=4\) must divide .*\(=6\); nearest: 2, 3"):
    net.apply(params, stats, jnp.zeros((6, 4, 4, 1)), train=True)
  assert net.apply(params, stats, jnp.zeros((6, 4, 4, 1))).logits.shape == (6, 10)


def test_images_without_a_batch_are_refused():
  net = nets.build("mlp")
  params, stats = net.init(KEY, (1, 4, 4, 1))
  with pytest.raises(ValueError, match="must be"):
    net.apply(params, stats, jnp.zeros((4, 4, 1)))


def test_a_number_for_a_random_key_is_refused():
  with pytest.raises(TypeError, match=r"key \(=0\) must be a random key: jax\.random\.key\(0\)"):
    nets.build("mlp").init(0, (1, 8, 8, 3))


def test_images_of_another_size_than_the_parameters_are_refused():
  net = nets.build("mlp")
  params, stats = net.init(KEY, (1, 4, 4, 1))
  with pytest.raises(ConfigError, match=r"do not fit these images.*\n.*net.head=gap"):
    net.apply(params, stats, jnp.zeros((1, 5, 5, 1)))


@pytest.mark.parametrize(
  ("name", "fields", "side"),
  [
    ("alexnet", {}, 67),  # 67 -> conv1 15 -> 7 -> 3 -> 1
    ("vgg11", {}, 32),  # five halvings
    ("googlenet_aux", {"depth": 10}, 79),  # 79 -> 40 -> 20 -> 10 -> 5, a window of the head
  ],
)
def test_the_smallest_image_is_found_and_said(name, fields, side):
  assert nets.smallest_image(name, **fields) == side
  net = nets.build(name, **fields)
  jax.eval_shape(lambda key: net.init(key, (1, side, side, 3)), KEY)
  with pytest.raises(ConfigError, match=f"{name} takes images of {side}x{side} or more"):
    jax.eval_shape(lambda key: net.init(key, (1, side - 1, side - 1, 3)), KEY)


@pytest.mark.parametrize("size", [28, 32, 64])
@pytest.mark.parametrize(
  "name", ["alexnet", "vgg19", "googlenet_aux", "googlenet_tv_aux", "inception_v3_aux", "resnet50"]
)
def test_the_small_stem_takes_small_images(name, size):
  net = nets.build(name, stem="small", classes=10)

  def train(key, images):
    params, stats = net.init(key, images.shape)
    return net.apply(params, stats, images, train=True, key=key)

  output = jax.eval_shape(train, KEY, jax.ShapeDtypeStruct((2, size, size, 3), "float32"))
  assert [x.shape for x in (output.logits, *output.aux)] == [(2, 10)] * (1 + len(output.aux))
  assert len(output.aux) == {"googlenet_aux": 2, "googlenet_tv_aux": 2, "inception_v3_aux": 1}.get(
    name, 0
  )
