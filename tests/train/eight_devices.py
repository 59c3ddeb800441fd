"""Run by test_devices.py in a process of its own with eight simulated devices; prints JSON."""

import contextlib
import json
import os
import re
import tempfile
from pathlib import Path

devices = " --xla_force_host_platform_device_count=8"
os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + devices
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import numpy as np
import optax

from jaxnets import kernels, nets
from jaxnets.train import experiment, loop, members
from jaxnets.train import mesh as meshes
from jaxnets.train.checkpoint import Checkpoints
from jaxnets.train.state import init_state
from jaxnets.train.step import jit_step, make_train_step, shard_map_step
from tests.train.tiny import distance, plain_prepare, tiny_batch, tiny_config, tiny_net

KEY = jax.random.key(0)


def program(group: int, form: str) -> str:
  """The compiled train step of a residual net on eight devices, as text."""
  mesh, shape = meshes.make_mesh(), (16, 8, 8, 3)
  net, optimiser = nets.build("cifar_resnet20", depth=8, norm_group=group), optax.sgd(0.05, 0.9)
  everywhere = meshes.replicated(mesh)
  state = jax.tree.map(
    lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=everywhere),
    jax.eval_shape(lambda key: init_state(net, optimiser, key, (1, *shape[1:])), KEY),
  )

  def prepare(key, batch):
    return batch["image"], jax.nn.one_hot(batch["label"], 10)

  batch = {
    "image": jax.ShapeDtypeStruct(shape, "float32", sharding=meshes.split(mesh)),
    "label": jax.ShapeDtypeStruct(shape[:1], "int32", sharding=meshes.split(mesh)),
  }
  if form == "shard_map":
    step = shard_map_step(make_train_step(net, optimiser, prepare, axis=meshes.DATA), mesh)
  else:
    step = jit_step(make_train_step(net, optimiser, prepare), mesh)
  return step.lower(state, batch, KEY).compile().as_text()


def trained(devices: int, form: str, group: int, accumulation: int = 1):
  """The state after three steps, and what their compiled program says."""
  mesh = meshes.make_mesh(jax.devices()[:devices])
  net, optimiser = tiny_net(norm_group=group), optax.sgd(0.05, 0.9)
  init = jax.jit(
    lambda key: init_state(net, optimiser, key, (1, 8, 8, 1)),
    out_shardings=meshes.replicated(mesh),
  )
  state = init(KEY)
  if form == "shard_map":
    step = shard_map_step(make_train_step(net, optimiser, plain_prepare(), axis=meshes.DATA), mesh)
  else:
    parts = meshes.split_second(mesh)
    step = jit_step(
      make_train_step(
        net, optimiser, plain_prepare(), accumulation=accumulation, parts_sharding=parts
      ),
      mesh,
    )
  for seed in range(3):
    local = {k: np.asarray(v) for k, v in tiny_batch(16, seed=seed).items()}
    state, metrics = step(state, meshes.global_batch(mesh, local), KEY)
  # Devices sit on meshes of different sizes: compare on the host.
  return jax.device_get((state, metrics))


one, one_metrics = trained(1, "jit", 0)
eight, eight_metrics = trained(8, "jit", 0)
again, _ = trained(8, "jit", 0)
grouped, _ = trained(8, "jit", 2)
mapped, mapped_metrics = trained(8, "shard_map", 2)
parts, _ = trained(8, "jit", 2, accumulation=2)


make_mesh = meshes.make_mesh


def whole(**overrides):
  """A run with everything on."""
  everything = {
    "train__ema": 0.9, "data__mixup": 0.2, "data__cutmix": 0.5, "net__dropout": 0.2,
    "data__crop": "pad", "data__pad": 1, "train__steps": 4, "train__norm_group": 4,
    "eval__every": 2,
  }  # fmt: skip
  return tiny_config(**(everything | overrides))


def params_of(folder, c):
  checkpoints = Checkpoints(Path(folder) / "checkpoints", 2)
  state = checkpoints.restore(experiment.build(c).abstract)
  checkpoints.close()
  return jax.device_get(state.params)


def fitted(devices: int, **overrides) -> dict:
  """The summary and the parameters of a whole run on so many of the devices."""
  c = whole(**overrides)
  experiment.forget()  # what is shared has a mesh
  meshes.make_mesh = lambda: make_mesh(jax.devices()[:devices])
  with tempfile.TemporaryDirectory() as folder:
    summary = loop.fit(c, Path(folder))
    return {"metrics": summary["metrics"], "params": params_of(folder, c)}


fit_one, fit_eight = fitted(1), fitted(8)
fit_parts = fitted(8, train__accumulation=2, net__dropout=0.0)
fit_whole = fitted(8, net__dropout=0.0)
plateau = fitted(8, optim__schedule="plateau")
mapped_fit = fitted(8, train__form="shard_map")


def on_their_own_devices(seeds) -> list:
  """The parameters of whole runs of which each has one of the eight devices."""
  experiment.forget()
  meshes.make_mesh = make_mesh
  with contextlib.ExitStack() as stack:
    folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in seeds]
    configs = [whole(seed=seed) for seed in seeds]
    runs = [loop.course(c, f, lambda: 0) for c, f in zip(configs, folders, strict=True)]
    ended = dict(members.together(runs, members.DEVICES, 8))
    assert not any(isinstance(result, Exception) for result in ended.values()), ended
    return [params_of(f, c) for c, f in zip(configs, folders, strict=True)]


first, second = on_their_own_devices([0, 1])
print(
  json.dumps(
    {
      "devices": len(jax.devices()),
      "kernels": kernels.describe(),
      # By batch-norm group: all images, less than a device's two, one device's, two devices'.
      "programs": {
        f"{form} {group}": {
          "calls": text.count("jaxnets_conv"),
          "moves": len(re.findall("all-gather|all-to-all|collective-permute", text)),
        }
        for group, form in ((0, "jit"), (1, "jit"), (2, "jit"), (4, "jit"), (2, "shard_map"))
        for text in [program(group, form)]
      },
      "one_vs_eight": distance(one.params, eight.params),
      "stats_one_vs_eight": distance(one.stats, eight.stats),
      "eight_again": distance(eight.params, again.params),
      "jit_vs_shard_map": distance(grouped.params, mapped.params),
      "stats_jit_vs_shard_map": distance(grouped.stats, mapped.stats),
      "global_vs_per_device_groups": distance(eight.params, grouped.params),
      "parts_vs_whole": distance(parts.params, grouped.params),
      "fit_one_vs_eight": distance(fit_one["params"], fit_eight["params"]),
      "fit_parts_vs_whole": distance(fit_parts["params"], fit_whole["params"]),
      "member_vs_one": distance(first, fit_one["params"]),
      "members": distance(first, second),
      "fit_counts": [
        [f["metrics"]["test_count"], f["metrics"]["validation_count"]]
        for f in (fit_one, fit_eight, plateau, mapped_fit)
      ],
      "counts": [int(m["count"]) for m in (one_metrics, eight_metrics, mapped_metrics)],
    }
  )
)
