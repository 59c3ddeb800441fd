"""Who takes a run's steps: a program of its own, or one program that steps several runs at once.

A run is a generator (`loop.course`). It yields `Start` when it wants to take steps and is sent its
`Seat`; then it yields a batch for each step and is sent the step's metrics. So the loop knows
nothing of the others, and each run keeps its own data, folder, evaluations and end.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxnets.train.compiled import Compiled, compile_step
from jaxnets.train.experiment import Experiment
from jaxnets.train.mesh import DATA, replicated
from jaxnets.train.state import State
from jaxnets.train.step import Batch

# The ways of several members in one program. In each a member's randomness, data and numbers are
# its own; `vmap` makes one computation of all members, the others leave each member's as it is.
VMAP, SCAN, DEVICES = "vmap", "scan", "devices"


class Start(NamedTuple):
  """What a run wants to take steps with."""

  experiment: Experiment
  state: State
  run: Any  # key and recipe, as the train step takes them
  batch: Batch  # the first


class Seat:
  """A run's place in a program: its state between two steps."""

  def __init__(self, state: State, facts: dict[str, Any] | None = None):
    self.state = state
    self.facts = facts or {}  # for run.json


Course = Generator[Start | Batch, Any, dict[str, Any]]


def alone(course: Course) -> dict[str, Any]:
  """Drives one run with a program of its own, over all devices; its summary."""
  with contextlib.closing(course):
    try:
      start = next(course)
      assert isinstance(start, Start)
      name, function = start.experiment.program, start.experiment.train_step
      compiled = compile_step(name, function, start.state, start.batch, start.run)
      seat = Seat(start.state, {"compile": _how(compiled)})
      run = start.run
      del start  # its state is given to the first step
      batch = course.send(seat)
      while True:
        seat.state, metrics = compiled.call(seat.state, batch, run)
        batch = course.send(metrics)
    except StopIteration as end:
      return end.value


def together(
  courses: Sequence[Course],
  form: str,
  count: int,
  contexts: Sequence[contextvars.Context] | None = None,
) -> Iterator[tuple[int, dict[str, Any] | Exception]]:
  """Drives runs of one program as members of one that steps `count` at once.

  The place of a member that has ended, well or not, computes on, on another's batches, and what it
  gives is dropped: the program stays the same, and so do the bits of those that go on.

  Args:
    courses: no more than `count`.
    form: VMAP, SCAN or DEVICES.
    count: members of the program; with DEVICES a multiple of the devices.
    contexts: each run's own, in which it goes on.

  Yields:
    The number of a run that ended, and its summary or what it raised.

  Raises:
    Whatever the common program raises; the runs left are closed, and may go on from their last
    checkpoints.
  """
  contexts = contexts or [contextvars.copy_context() for _ in courses]
  asked: dict[int, Any] = {}
  ended: list[tuple[int, dict[str, Any] | Exception]] = []

  def go_on(number: int, answer: Any) -> None:
    try:
      asked[number] = contexts[number].run(courses[number].send, answer)
      return
    except StopIteration as end:
      ended.append((number, end.value))
    except Exception as error:
      ended.append((number, error))
    asked.pop(number, None)

  with contextlib.ExitStack() as stack:
    for number, course in enumerate(courses):
      stack.callback(contexts[number].run, course.close)
      go_on(number, None)
    if asked:
      group = Group(asked, form, count)
      for number in list(asked):
        go_on(number, group.seat(number))
    while asked:
      yield from _taken(ended)
      for number, metrics in group.step(asked).items():
        go_on(number, metrics)
    yield from _taken(ended)


class Group:
  """Runs of one program whose states lie side by side, [member, ...], and step together."""

  def __init__(self, starts: Mapping[int, Start], form: str, count: int):
    """Puts the runs, by their numbers, in their places; their own copies of the states go.

    Raises:
      ConfigError: the program needs more memory than there is.
    """
    first = next(iter(starts.values()))
    experiment = first.experiment
    layout = _layout(experiment.mesh, form)
    self.places = {number: place for place, number in enumerate(starts)}
    members = _fill(list(starts.values()), count)
    stack = jax.jit(_stack, out_shardings=layout)
    self.states = stack(*(one.state for one in members))
    self.runs = stack(*(one.run for one in members))
    self.count = count
    compiled = compile_step(
      f"{experiment.program}-{form}{count}",
      make_joint_step(experiment.step, experiment.mesh, form),
      self.states,
      tuple(one.batch for one in members),
      self.runs,
    )
    self.facts = {"compile": _how(compiled), "members": {"form": form, "count": count}}
    self.call = compiled.call
    self._take = _taker(experiment.mesh)
    self._put = _putter(layout)
    for start in starts.values():
      jax.tree.map(lambda x: x.delete(), start.state)

  def seat(self, number: int) -> "MemberSeat":
    """The place of a run."""
    place = self.places[number]
    # The program is made once; the others find it made.
    facts = self.facts if place == 0 else self.facts | {"compile": {"how": "shared", "seconds": 0}}
    return MemberSeat(self, place, facts)

  def step(self, batches: Mapping[int, Batch]) -> dict[int, Any]:
    """One step of the runs with a batch; their metrics."""
    given = {self.places[number]: batch for number, batch in batches.items()}
    some = next(iter(given.values()))
    batch = tuple(given.get(place, some) for place in range(self.count))
    self.states, metrics = self.call(self.states, batch, self.runs)
    return {number: metrics[self.places[number]] for number in batches}

  def take(self, place: int) -> State:
    """A copy of the state in a place, laid out as that of a run alone."""
    return self._take(self.states, place)

  def put(self, place: int, state: State) -> None:
    """Another state for a place."""
    self.states = self._put(self.states, state, place)


class MemberSeat(Seat):
  """A run's place in a group: its state is looked up, and changed, there."""

  def __init__(self, group: Group, place: int, facts: dict[str, Any]):
    self.group, self.place, self.facts = group, place, facts

  @property
  def state(self) -> State:
    return self.group.take(self.place)

  @state.setter
  def state(self, state: State) -> None:
    self.group.put(self.place, state)


def forms(experiment: Experiment, count: int) -> tuple[str, ...]:
  """The ways in which `count` runs can be one program here; none where devices compute apart."""
  devices = experiment.mesh.size
  if experiment.config.train.form == "shard_map":
    return ()
  if devices == 1:
    return (VMAP, SCAN)
  return (VMAP, DEVICES) if count % devices == 0 else (VMAP,)


@functools.lru_cache(maxsize=4)
def make_joint_step(step: Callable[..., Any], mesh: Mesh, form: str) -> Any:
  """(states, batches, runs) -> (states, metrics) of several members, jitted; states are donated.

  Args:
    step: of one member, laid out in no way.
    mesh: of all devices.
    form: VMAP, SCAN, or DEVICES: each device takes its members' steps, one after the other.

  `states` and `runs` have a first axis of members; `batches` and the resulting metrics are tuples.
  """

  def in_turn(*given: Any) -> Any:
    return lax.map(lambda one: step(*one), given)

  members = {
    VMAP: jax.vmap(step),
    SCAN: in_turn,
    DEVICES: jax.shard_map(
      in_turn, mesh=mesh, in_specs=PartitionSpec(DATA), out_specs=PartitionSpec(DATA),
      check_vma=False,
    ),
  }[form]  # fmt: skip

  def joint(states: Any, batches: tuple[Batch, ...], runs: Any) -> Any:
    states, metrics = members(states, _stack(*batches), runs)
    return states, tuple(_at(metrics, place) for place in range(len(batches)))

  layout, everywhere = _layout(mesh, form), replicated(mesh)
  return jax.jit(joint, donate_argnums=0, out_shardings=(layout, everywhere))


def _layout(mesh: Mesh, form: str) -> NamedSharding:
  """Where the members' states lie: each on its device, or all of them everywhere."""
  return NamedSharding(mesh, PartitionSpec(DATA)) if form == DEVICES else replicated(mesh)


def _stack(*trees: Any) -> Any:
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _at(tree: Any, place: Any) -> Any:
  return jax.tree.map(lambda x: x[place], tree)


def _fill(members: list[Start], count: int) -> list[Start]:
  return members + [members[0]] * (count - len(members))


@functools.lru_cache(maxsize=1)
def _taker(mesh: Mesh) -> Any:
  def take(states: Any, place: int) -> Any:
    return _at(states, place)

  return jax.jit(take, out_shardings=replicated(mesh))


@functools.lru_cache(maxsize=1)
def _putter(layout: NamedSharding) -> Any:
  def put(states: Any, state: Any, place: int) -> Any:
    return jax.tree.map(lambda x, new: x.at[place].set(new), states, state)

  return jax.jit(put, donate_argnums=0, out_shardings=layout)


def _taken(ended: list[Any]) -> list[Any]:
  """All that is in the list, which is empty afterwards."""
  found = ended[:]
  ended.clear()
  return found


def _how(compiled: Compiled) -> dict[str, Any]:
  return {"how": compiled.how, "seconds": round(compiled.seconds, 2)}
