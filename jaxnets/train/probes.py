"""What happens in each layer while a net trains: probes.jsonl, one row per layer and probed step.

A row at step s tells of the batch of that step and of the parameters before it. The step itself is
taken as without a probe, which computes it once more beside it.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxnets.instruments import activations, propagation
from jaxnets.instruments.norms import layer_norms
from jaxnets.nets import Net
from jaxnets.train import score
from jaxnets.train.pictures import Picture
from jaxnets.train.state import State
from jaxnets.train.step import Batch, Prepare


def make_probe(
  net: Net, prepare: Prepare, step: Callable[..., Any], accumulation: int, picture: Picture
) -> Callable[..., tuple[dict[str, dict[str, jax.Array]], dict[str, Any]]]:
  """(state, batch, (key, recipe), shown) -> ({layer: {what: number}}, pictures).

  Args:
    net: the network.
    prepare: augments and normalises a batch, as in training.
    step: a train step that tells its gradient.
    accumulation: parts of a batch; of so many the first one's activations are looked at.
    picture: of the images in `shown`.

  Layers are in the order of computing; then come the other parameters, such as those of norms. All
  numbers are float32 scalars, those of MEASURES: norms of what has parameters, the others of what
  gives outputs.
  """

  def probe(state: State, batch: Batch, run: Any, shown: Batch):
    key, recipe = run
    after, metrics = step(state, batch, run)
    trees = {
      "gradient_norm": metrics["gradient"],
      "update_norm": jax.tree.map(jnp.subtract, after.params, state.params),
      "weight_norm": state.params,
    }
    norms = {what: layer_norms(tree) for what, tree in trees.items()}
    # As in the step: the same images, and the same units dropped unless a batch comes in parts.
    augment_key, dropout_key = jax.random.split(key)
    images, target = (x[: len(x) // accumulation] for x in prepare(augment_key, batch))
    target = score.smooth(target, recipe.label_smoothing)

    def looked(nudges):
      output, layers = net.look(
        state.params, state.stats, images, train=True, dropout=recipe.dropout, nudges=nudges,
        key=jax.random.fold_in(dropout_key, state.step),
      )  # fmt: skip
      losses = score.cross_entropy(output.logits, target)
      auxiliary = sum(score.cross_entropy(logits, target) for logits in output.aux)
      return (losses + net.aux_weight * auxiliary).mean(), layers

    nudges = propagation.still(lambda: looked({})[1])
    by_outputs, layers = jax.grad(looked, has_aux=True)(nudges)
    rows = OrderedDict()
    for layer, seen in layers.items():
      rows[layer] = {
        "zero_share": activations.zero_share(seen.output),
        "dead_share": activations.dead(seen.output).mean(),
        "mean_square": activations.mean_square(seen.output),
        "output_gradient": propagation.output_norm(by_outputs[layer]),
        "response_std": activations.deviation(seen.response),
      }
    for layer, found in variety({path: seen.output for path, seen in layers.items()}).items():
      rows[layer] |= found
    for layer in norms["weight_norm"]:
      rows[layer] = rows.get(layer, {}) | {what: found[layer] for what, found in norms.items()}
    return rows, picture(state, shown)

  return probe


def variety(outputs: dict[str, jax.Array]) -> dict[str, dict[str, jax.Array]]:
  """{layer: correlation, effective_rank_share, energy_90}: how unlike its channels are.

  Layers of equal size are one batch of eigenvalue problems: 56 layers compile as three do.
  """
  small = {path: activations.smaller_covariance(x) for path, x in outputs.items()}
  alike = {}
  for path, x in outputs.items():
    alike.setdefault((x.shape[-1], len(small[path])), []).append(path)
  found = {}
  for (channels, _), paths in alike.items():
    spectra = activations.energies(jnp.stack([small[path] for path in paths]), channels)
    ranks = jax.vmap(activations.effective_rank)(spectra) / channels
    holding = jax.vmap(activations.components_holding)(spectra)
    for i, path in enumerate(paths):
      found[path] = {
        "correlation": activations.mean_correlation(outputs[path]),
        "effective_rank_share": ranks[i],
        "energy_90": holding[i],
      }
  return found


MEASURES = (
  "gradient_norm", "update_norm", "weight_norm", "zero_share", "dead_share", "mean_square",
  "output_gradient", "response_std", "correlation", "effective_rank_share", "energy_90",
)  # fmt: skip
