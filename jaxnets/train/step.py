"""One training step and one evaluation step, as pure functions."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxnets.instruments.ensemble import masked_logits, mean_of_masks
from jaxnets.nets import Net
from jaxnets.train import score
from jaxnets.train.mesh import DATA, replicated, split
from jaxnets.train.optim import Number
from jaxnets.train.state import State

Batch = dict[str, jax.Array]
# (key, batch) -> images float32 [batch, height, width, channels], targets float32 [batch, classes]
Prepare = Callable[[jax.Array, Batch], tuple[jax.Array, jax.Array]]
TrainStep = Callable[[State, Batch, jax.Array], tuple[State, dict[str, jax.Array]]]
# (params, stats, images, targets, labels, key) -> gradients, batch-norm averages, sums of a batch
Gradient = Callable[..., tuple[Any, Any, score.Sums]]


def make_gradient(
  net: Net, *, label_smoothing: Number = 0.0, dropout: Number | None = None
) -> Gradient:
  """The gradient of the mean loss, auxiliary heads with their weight; see `make_train_step`."""

  def loss(params, stats, images, target, key):
    output = net.apply(params, stats, images, train=True, key=key, dropout=dropout)
    target = score.smooth(target, label_smoothing)
    losses = score.cross_entropy(output.logits, target)
    auxiliary = sum(score.cross_entropy(logits, target) for logits in output.aux)
    total = (losses + net.aux_weight * auxiliary).mean()
    return total, (output.logits, losses, output.stats)

  def gradient(params, stats, images, target, label, key):
    run = jax.value_and_grad(loss, has_aux=True)
    (_, (logits, losses, stats)), grads = run(params, stats, images, target, key)
    mask = jnp.ones(label.shape, bool)
    return grads, stats, score.sums(logits, label, losses, mask)

  return gradient


def make_train_step(
  net: Net,
  optimiser: optax.GradientTransformationExtraArgs,
  prepare: Prepare,
  *,
  accumulation: int = 1,
  label_smoothing: Number = 0.0,
  dropout: Number | None = None,
  ema: float = 0.0,
  lr_scale: Number = 1.0,
  parts_sharding: NamedSharding | None = None,
  axis: str | None = None,
  tells_gradient: bool = False,
) -> TrainStep:
  """(state, batch, key) -> (state, metrics).

  Args:
    net: the network.
    optimiser: gradients -> updates, its rate times `lr_scale`.
    prepare: augments and normalises a batch of uint8 images.
    accumulation: equal runs of images that are computed one after the other; their gradients and
      batch moments are averaged, so the step is the same up to rounding.
    label_smoothing: share of each target spread over all classes.
    dropout: rate in place of that of a net that has dropout.
    ema: decay of the average of the parameters; 0 for none.
    lr_scale: factor on the optimiser's rate, beside that of the plateau.
    parts_sharding: layout of [part, image, ...] arrays, when the batch lies on several devices.
    axis: mapped axis to average over, when this function sees one device's images only.
    tells_gradient: the metrics hold it too, as `gradient`.

  `key` belongs to the run; step and stream position are folded in. The metrics are the sums of
  `score.sums` with grad_norm, and `finite`: whether loss, gradient and the new state are.
  """

  gradient_of = make_gradient(net, label_smoothing=label_smoothing, dropout=dropout)

  def gradient(state, images, target, label, key):
    return gradient_of(state.params, state.stats, images, target, label, key)

  def accumulated(state, images, target, label, key):
    if accumulation == 1:
      return gradient(state, images, target, label, key)

    def part(total, inputs):
      images, target, label, number = inputs
      own = gradient(state, images, target, label, jax.random.fold_in(key, number))
      return jax.tree.map(jnp.add, total, own), None

    # Runs of consecutive images, so that batch-norm groups are the same with and without parts.
    parts = [x.reshape(accumulation, -1, *x.shape[1:]) for x in (images, target, label)]
    if parts_sharding is not None:
      parts = [lax.with_sharding_constraint(x, parts_sharding) for x in parts]
    images, target, label = (x[0] for x in parts)
    one = jax.eval_shape(gradient, state, images, target, label, key)
    zero = jax.tree.map(lambda x: jnp.zeros(x.shape, x.dtype), one)
    (grads, stats, sums), _ = lax.scan(part, zero, (*parts, jnp.arange(accumulation)))
    grads, stats = jax.tree.map(lambda x: x / accumulation, (grads, stats))
    return grads, stats, sums

  def train_step(state: State, batch: Batch, key: jax.Array):
    augment_key, dropout_key = jax.random.split(key)
    dropout_key = jax.random.fold_in(dropout_key, state.step)
    if axis is not None:
      dropout_key = jax.random.fold_in(dropout_key, lax.axis_index(axis))
    images, target = prepare(augment_key, batch)
    grads, stats, sums = accumulated(state, images, target, batch["label"], dropout_key)
    if axis is not None:
      grads, stats = lax.pmean((grads, stats), axis)
      sums = lax.psum(sums, axis)

    scale = lr_scale if state.plateau == () else lr_scale * state.plateau.scale
    updates, opt = optimiser.update(grads, state.opt, state.params, lr_scale=scale)
    params = optax.apply_updates(state.params, updates)
    average = state.ema
    if ema:
      average = optax.incremental_update(params, state.ema, 1 - ema)
    grad_norm = optax.tree.norm(grads)
    # Of what the step left behind too: a state that is not finite must never be saved.
    size = optax.tree.norm((params, stats))
    finite = jnp.isfinite(sums["loss"]) & jnp.isfinite(grad_norm) & jnp.isfinite(size)
    state = State(state.step + 1, params, stats, opt, average, state.plateau)
    metrics = sums | {"grad_norm": grad_norm, "finite": finite}
    return state, metrics | ({"gradient": grads} if tells_gradient else {})

  return train_step


def jit_step(step: Callable[..., Any], mesh: Mesh) -> Any:
  """The step as one program over the mesh: the whole batch is one batch. The state is donated.

  What the step takes third, a key or more than that, is the same everywhere.
  """
  everywhere = replicated(mesh)
  return jax.jit(
    step,
    in_shardings=(everywhere, split(mesh), everywhere),
    out_shardings=(everywhere, everywhere),
    donate_argnums=0,
  )


def shard_map_step(step: Callable[..., Any], mesh: Mesh) -> Any:
  """The step, made with axis="data", as one program per device: each sees only its own images.

  Batch-norm statistics, dropout and mixup stay on the device; gradients are averaged.
  """
  mapped = jax.shard_map(
    step,
    mesh=mesh,
    in_specs=(PartitionSpec(), PartitionSpec(DATA), PartitionSpec()),
    out_specs=(PartitionSpec(), PartitionSpec()),
    # Gradients shall stay per device until the step averages them itself.
    check_vma=False,
  )
  return jax.jit(mapped, donate_argnums=0)


def make_eval_step(net: Net, prepare: Prepare, masks: int = 0) -> Callable[..., score.Sums]:
  """(params, stats, batch, key) -> sums over the images whose mask is set.

  With `masks`, of the mean prediction under so many dropout masks, in place of weight scaling; the
  step then takes the rate as `dropout`.
  """

  def eval_step(params, stats, batch, key, dropout=None):
    images, target = prepare(key, batch)
    if masks:
      own = jax.random.fold_in(key, 1)
      each = masked_logits(net, params, stats, images, own, masks, dropout=dropout)
      logits = mean_of_masks(each)
    else:
      logits = net.apply(params, stats, images).logits
    losses = score.cross_entropy(logits, target)
    return score.sums(logits, batch["label"], losses, batch["mask"])

  return eval_step
