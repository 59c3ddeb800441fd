"""A train step and a forward pass of a net, on given devices and from given random arrays."""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets import nets
from jaxnets.train import mesh as meshes
from jaxnets.train.state import State, init_state
from jaxnets.train.step import jit_step, make_train_step, shard_map_step

CLASSES = 10


class Case(NamedTuple):
  """A net, made small where the CPU would take long, and its images."""

  fields: dict[str, Any]
  size: int
  batch: int
  units: tuple[int, ...] = ()  # of the smooth form; (): as many as the net has


class Result(NamedTuple):
  """What a train step and a forward pass give, on the host."""

  logits: np.ndarray | None
  gradient: Any  # None, like stats, without a step
  stats: Any


class Program(NamedTuple):
  """A train step and a forward pass on a mesh, lowered or compiled."""

  mesh: jax.sharding.Mesh
  step: Any
  forward: Any


def inputs(name: str, case: Case, seed: int, batch: int) -> tuple[State, dict, jax.Array]:
  """State at step 0, images and labels, key; all random, on the CPU."""
  net = nets.build(name, classes=CLASSES, **case.fields)
  draw = np.random.default_rng(seed)
  shape = (batch, case.size, case.size, 3)
  images = {
    "image": draw.integers(0, 256, shape, np.uint8),
    "label": draw.integers(0, CLASSES, batch, np.int32),
    "position": np.arange(batch, dtype=np.uint32),
  }
  with jax.default_device(jax.devices("cpu")[0]):
    init_key, key = jax.random.split(jax.random.key(seed))
    init = jax.jit(lambda key: init_state(net, _optimiser(), key, (1, *shape[1:])))
    return jax.device_get(init(init_key)), images, key


def lower(
  name: str,
  case: Case,
  dtype: str,
  devices: list[jax.Device],
  arguments: tuple[State, dict, jax.Array],
  *,
  precision: str | None = None,
  parts: tuple[str, ...] = ("step", "forward"),
  form: str = "jit",
) -> Program:
  """The step and the forward pass, those named in `parts`, traced and not yet compiled."""
  state, batch, key = arguments
  group = len(batch["label"]) // len(devices)
  net = nets.build(name, classes=CLASSES, dtype=dtype, norm_group=group, **case.fields)
  mesh = meshes.make_mesh(devices)
  if form == "shard_map":
    train = shard_map_step(make_train_step(net, _optimiser(), _prepare, axis=meshes.DATA), mesh)
  else:
    train = jit_step(make_train_step(net, _optimiser(), _prepare), mesh)
  forward = jax.jit(
    lambda params, stats, batch: net.apply(params, stats, _prepare(None, batch)[0]).logits
  )
  state, batch, key = placed(mesh, state, batch, key)
  with jax.default_matmul_precision(precision):
    return Program(
      mesh,
      train.lower(state, batch, key) if "step" in parts else None,
      forward.lower(state.params, state.stats, batch) if "forward" in parts else None,
    )


def compiled(lowered: dict[str, Program]) -> dict[str, Program]:
  """All programs compiled, several at a time: most of what a check takes."""

  def compile_part(part: Any) -> Any:
    return None if part is None else part.compile()

  with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
    pending = {
      name: (pool.submit(compile_part, program.step), pool.submit(compile_part, program.forward))
      for name, program in lowered.items()
    }
    return {
      name: lowered[name]._replace(step=step.result(), forward=forward.result())
      for name, (step, forward) in pending.items()
    }


def run(program: Program, state: State, batch: dict, key: jax.Array) -> Result:
  """One forward pass and one train step from `state`, on copies: the step consumes its state."""
  state, batch, key = placed(program.mesh, state, batch, key)
  logits = None
  if program.forward is not None:
    logits = program.forward(state.params, state.stats, batch)
  if program.step is None:
    return jax.device_get(Result(logits, None, None))
  state, _ = program.step(state, batch, key)
  trace = state.opt[0].trace  # after one step from rest, the gradient
  return jax.device_get(Result(logits, trace, state.stats))


def placed(mesh: jax.sharding.Mesh, state: State, batch: dict, key: jax.Array):
  """New arrays on the mesh, with state and key everywhere and the images divided."""
  everywhere = meshes.replicated(mesh)
  # A fresh host copy: device_put may alias an array that is on the CPU, which the step donates.
  state = jax.device_put(jax.tree.map(np.array, state), everywhere)
  return state, jax.device_put(batch, meshes.split(mesh)), jax.device_put(key, everywhere)


def _optimiser() -> optax.GradientTransformationExtraArgs:
  return optax.chain(optax.trace(0.9), optax.scale(-0.1))


def _prepare(key: jax.Array | None, batch: dict) -> tuple[jax.Array, jax.Array]:
  del key
  images = (batch["image"].astype(jnp.float32) - 127.5) / 73.9  # deviation of uniform bytes
  return images, jax.nn.one_hot(batch["label"], CLASSES)
