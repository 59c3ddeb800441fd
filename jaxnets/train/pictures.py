"""What a net sees, as arrays that need no JAX: pictures.npz of a probed run.

    filters_first, filters_last   float32 [rows * height, columns * width, channels], 0 to 1: those
                                  of the first layer, as `filters.filter_grid` lays them, at the
                                  first and at the newest probe
    filters_shape                 [height, width, columns, filters]
    step_first, step_last         the steps that these are before, from 1
    images, labels                uint8 [n, height, width, channels], int32 [n]
    predictions                   int32 [n]: what the net says at the newest probe
    classes                       names, by label
    split                         whose images they are: "validation" or "train"
    grad_cam, grad_cam_at         float32 [n, height', width'] for the predictions; of which layer
    cam                           the same, the class activation map

What a net has not is not there: filters without a convolution first, cam without global average
pooling and one linear layer. A net without maps has no such file.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import runs
from jaxnets.instruments import filters, maps
from jaxnets.nets import Net
from jaxnets.train.state import State
from jaxnets.train.step import Batch, Prepare

COLUMNS = 8  # filters in a row

# (state, batch of `shown`) -> what of the file follows from the parameters
Picture = Callable[[State, Batch], dict[str, Any]]


def make_picture(net: Net, prepare: Prepare) -> Picture:
  """The function that makes predictions, maps and filters; {} of a net without maps.

  Args:
    net: the network.
    prepare: normalises a batch, as in evaluation.
  """

  def picture(state: State, batch: Batch) -> dict[str, Any]:
    images, _ = prepare(jax.random.key(0), batch)
    given = net, state.params, state.stats, images
    layers = jax.eval_shape(lambda: net.look(*given[1:])[1])
    last = last_maps({path: one.output.ndim for path, one in layers.items()})
    if last is None:
      return {}
    cam, said, layers = maps.weigh_by_gradient(
      *given, last, layers[last].output, lambda logits: logits.argmax(-1).astype(jnp.int32)
    )
    found: dict[str, Any] = {"predictions": said, "grad_cam": {last: jax.nn.relu(cam)}}
    if "maps" in layers:
      found["cam"] = maps.weigh_maps(layers["maps"].output, state.params["head"]["kernel"], said)
    kernel = first_kernel(state.params, next(iter(layers)), images.shape[-1])
    if kernel is not None:
      height, width, _, count = kernel.shape
      found["filters"] = filters.filter_grid(kernel, COLUMNS)
      found["filters_shape"] = jnp.array([height, width, COLUMNS, count])
    return found

  return picture


def last_maps(axes: Mapping[str, int]) -> str | None:
  """The last layer that gives maps, of {path: axes of its outputs} in the order of computing.

  "maps" itself where there is global average pooling: the last layer of an Inception module is but
  one of its branches.
  """
  found = [path for path, count in axes.items() if count == 4]
  return "maps" if "maps" in found else found[-1] if found else None


def first_kernel(params: Any, path: str, channels: int) -> jax.Array | None:
  """The kernel of the layer at a path if it is a convolution of images of so many channels."""
  for name in path.split("/"):
    params = params.get(name, {})
  kernel, bias = params.get("kernel"), params.get("bias")
  if kernel is None or kernel.ndim != 4 or kernel.shape[2] != channels:
    return None
  return None if bias is not None and bias.ndim > 1 else kernel  # weights of each place


def write(workdir: Path, step: int, found: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
  """Puts the pictures of a step in place of those before, whose first filters stay.

  Args:
    workdir: the run folder.
    step: that the parameters are before.
    found: what a `Picture` gave, on the host.
    facts: images, labels, classes and split.
  """
  ((at, cam),) = found["grad_cam"].items()
  arrays = dict(found) | dict(facts) | {"grad_cam": cam, "grad_cam_at": at, "step_last": step}
  arrays["step_first"] = step
  if "filters" in found:
    arrays["filters_last"] = arrays.pop("filters")
    arrays["filters_first"] = arrays["filters_last"]
  path = workdir / runs.PICTURES
  before = runs.read_pictures(workdir)
  if before.get("step_first", step) < step:
    arrays |= {name: x for name, x in before.items() if name.endswith("_first")}
  partial = path.with_name(f".{path.name}.{os.getpid()}")
  with open(partial, "wb") as file:
    named: dict[str, Any] = {name: np.asarray(x) for name, x in sorted(arrays.items())}
    np.savez_compressed(file, **named)
  partial.replace(path)
