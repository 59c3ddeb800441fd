"""Configs that differ in numbers only run one compiled program, to the bits of a program alone."""

import jax
import optax
import pytest
from jax import monitoring

from jaxnets import config, runs
from jaxnets.train import compiled, experiment, loop, optim
from jaxnets.train.experiment import build_optimiser, recipe_of
from tests.train.tiny import distance, tiny_config, tiny_net

NUMBERS = {
  "seed": 3,
  "optim__lr": 0.02,
  "optim__momentum": 0.5,
  "optim__weight_decay": 0.01,
  "train__label_smoothing": 0.2,
  "net__dropout": 0.3,
}


def base(**more):
  return tiny_config(
    **{"net__dropout": 0.1, "net__dropout_place": "unit", "train__steps": 3} | more
  )


def forget():
  experiment.forget()
  compiled.forget()


def run(folder, c):
  """(digest of the parameters, how the step was come by)."""
  folder.mkdir(exist_ok=True)
  digest = loop.fit(c, folder)["params_sha256"]
  return digest, runs.read_json(folder / "run.json")["compile"]["how"]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
  forget()
  return run(tmp_path_factory.mktemp("first"), base())


@pytest.mark.parametrize("key", NUMBERS)
def test_a_run_with_another_number_compiles_nothing_and_is_what_it_is_alone(key, first, tmp_path):
  other = base(**{key: NUMBERS[key]})
  assert config.digest(config.program(other)) == config.digest(config.program(base()))
  run(tmp_path / "before", base())
  after, how = run(tmp_path / "after", other)
  assert how == "shared"
  assert after != first[0]  # the number matters
  forget()
  alone, how = run(tmp_path / "alone", other)
  assert how in ("compiled", "cache")
  assert alone == after


def test_a_deeper_net_of_the_same_shapes_of_layers_starts_without_compiling():
  compiled = []

  def note(event, seconds, **facts):
    if event == "/jax/core/compile/backend_compile_duration":
      compiled.append(seconds)

  monitoring.register_event_duration_secs_listener(note)
  try:
    experiment.build(tiny_config(net__width=0.375)).init(jax.random.key(0))
    first = len(compiled)
    deeper = experiment.build(tiny_config(net__width=0.375, net__depth=14))
    state = deeper.init(jax.random.key(0))
  finally:
    monitoring.unregister_event_duration_listener(note)
  assert 0 < first == len(compiled)
  everywhere = {x.sharding for x in jax.tree.leaves(deeper.abstract)}
  assert {x.sharding for x in jax.tree.leaves(state)} == everywhere


def test_a_run_that_shares_a_program_says_its_own_numbers(tmp_path):
  run(tmp_path / "one", base())
  run(tmp_path / "two", base(net__dropout=0.3))
  said = [runs.read_json(tmp_path / n / "summary.json")["net"]["dropout"] for n in ("one", "two")]
  assert said == [0.1, 0.3]


@pytest.mark.parametrize(
  "change",
  [{"net__dropout": 0.0}, {"net__depth": 14}, {"optim__nesterov": True}, {"train__steps": 4}],
  ids=str,
)
def test_what_changes_the_program_is_another_program(change):
  assert config.digest(config.program(base(**change))) != config.digest(config.program(base()))


@pytest.mark.parametrize("more", [{}, {"lr_in_velocity": True}], ids=["", "lr_in_velocity"])
@pytest.mark.parametrize("name", ["sgd", "lars", "lamb", "adamw"])
def test_three_updates_are_those_of_an_optimiser_with_the_numbers_written_in(name, more):
  numbers = {"optim__lr": 0.3, "optim__weight_decay": 0.02, "optim__momentum": 0.7}
  c = base(optim__name=name, net__dropout=0.0, **numbers, **{f"optim__{k}": more[k] for k in more})
  recipe = recipe_of(c)
  peak = optim.peak_rate(0.3, 128, "linear", 32)
  written = optim.make_optimiser(
    name, optim.make_schedule("cosine", peak, 8), momentum=0.7, weight_decay=0.02, **more
  )
  given = build_optimiser(c, optim.make_schedule("cosine", 1.0, 8), recipe)
  first, _ = tiny_net().init(jax.random.key(0), (1, 8, 8, 1))
  one, other = (first, given.init(first)), (first, written.init(first))
  leaves, tree = jax.tree.flatten(first)
  for step in range(3):
    # The same gradients for both: those of a net would differ by rounding after the first update.
    keys = jax.random.split(jax.random.key(step), len(leaves))
    grads = [jax.random.normal(key, p.shape) for key, p in zip(keys, leaves, strict=True)]
    grads = jax.tree.unflatten(tree, grads)
    updates, state = given.update(grads, one[1], one[0], lr_scale=recipe.lr)
    one = optax.apply_updates(one[0], updates), state
    updates, state = written.update(grads, other[1], other[0])
    other = optax.apply_updates(other[0], updates), state
  assert distance(one[0], other[0]) < 2e-6 < distance(one[0], first) / 100
