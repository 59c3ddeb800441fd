"""Traced programs as flat lists: nothing lost, nothing dead, everything named."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax
from jax.sharding import AxisType, PartitionSpec

from jaxnets import cost, nets
from jaxnets.cost.program import trace, walk

KEY = jax.eval_shape(lambda: jax.random.key(0))


def array(*shape):
  return jax.ShapeDtypeStruct(shape, jnp.float32)


def names(program):
  return [operation.name for operation in program.operations]


def test_calls_of_every_kind_are_written_out():
  @jax.custom_vjp
  def custom(x):
    return jnp.sin(x)

  custom.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (g * jnp.cos(x),))

  @jax.custom_jvp
  def other(x):
    return jnp.exp(x)

  other.defjvp(lambda primals, tangents: (other(*primals), tangents[0]))

  def function(x):
    return jax.checkpoint(jax.jit(lambda x: other(custom(jax.jit(jnp.tanh)(x)))))(x)

  assert names(trace(function, array(3))) == ["tanh", "sin", "exp"]


def test_what_nobody_reads_is_left_out():
  def function(x, m):
    unused = x @ m
    del unused
    return jnp.sin(x)

  program = trace(function, array(2, 3), array(3, 3))
  assert names(program) == ["sin"]
  assert cost.of_program(program).macs == 0


def test_values_flow_from_the_inputs_to_the_outputs_by_number():
  program = trace(lambda tree, x: jnp.sin(tree["a"] * x) + x, {"a": array(3)}, array(3))
  assert program.paths == (("0", "a"), ("1",))
  (a, x), known = program.inputs, set(program.inputs)
  for operation in program.operations:
    assert known.issuperset(operation.reads)
    known.update(operation.writes)
  assert known.issuperset(program.outputs)
  assert program.operations[0].reads == (a, x)


def test_a_shard_map_counts_on_all_its_devices():
  mesh = jax.make_mesh((1,), ("data",), axis_types=(AxisType.Auto,))
  # A mesh of four is made of what a trace needs of it: its shape.
  abstract = jax.sharding.AbstractMesh((4,), ("data",), axis_types=(AxisType.Auto,))

  def product(mesh, rows):
    mapped = jax.shard_map(
      jnp.dot, mesh=mesh, in_specs=(PartitionSpec("data"), PartitionSpec()),
      out_specs=PartitionSpec("data"),
    )  # fmt: skip
    return cost.count_macs(mapped, array(rows, 5), array(5, 7))

  assert product(mesh, 8) == 8 * 5 * 7
  assert product(abstract, 8) == 8 * 5 * 7


def test_the_dearest_branch_of_a_choice_stays_and_passes_its_results_on():
  def function(flag, x, m):
    return jnp.sin(lax.cond(flag, lambda: x @ m, lambda: x))

  program = trace(function, jax.ShapeDtypeStruct((), bool), array(2, 3), array(3, 3))
  assert names(program)[-3:] == ["dot_general", "cond", "sin"]


def test_each_platform_has_its_form_of_a_choice():
  def function(x):
    return lax.platform_dependent(x, cpu=jnp.sin, cuda=jnp.tanh, default=jnp.exp)

  assert names(trace(function, array(3))) == ["exp"]
  assert names(trace(function, array(3), platform="cpu")) == ["sin"]
  assert names(trace(function, array(3), platform="cuda")) == ["tanh"]
  assert names(trace(function, array(3), platform="tpu")) == ["exp"]


def test_a_gradient_knows_which_of_its_operations_are_the_backward_pass():
  def loss(w, x):
    return jnp.tanh(x @ w).sum()

  program = trace(jax.value_and_grad(loss), array(3, 4), array(2, 3))
  products = [o for o in program.operations if o.name == "dot_general"]
  assert [o.backward for o in products] == [False, True]


def test_units_that_are_traced_once_have_names_of_their_own():
  net = nets.build("cifar_resnet20", width=0.25)
  params, stats = jax.eval_shape(lambda key: net.init(key, (1, 8, 8, 3)), KEY)
  program = trace(lambda p, s, x: net.apply(p, s, x).logits, params, stats, array(1, 8, 8, 3))
  convolutions = [o for o in program.operations if o.name == "conv_general_dilated"]
  scopes = ["/".join(o.scope) for o in convolutions]
  assert scopes[0] == "ResNet/stem"
  assert scopes[1:] == [
    f"ResNet/stage{s}/unit{u}/conv{c}" for s in (1, 2, 3) for u in (1, 2, 3) for c in (1, 2)
  ]


def test_a_deep_net_of_equal_units_is_traced_as_a_few():
  net = nets.build("cifar_resnet110", width=0.25)
  shape = (1, 8, 8, 3)
  params, stats = jax.eval_shape(lambda key: net.init(key, shape), KEY)
  jaxpr = jax.make_jaxpr(lambda p, s, x: net.apply(p, s, x).logits)(params, stats, array(*shape))
  calls = [e.params for e in jaxpr.eqns if e.primitive.name == "jit"]
  units = [call["jaxpr"] for call in calls if len(call["jaxpr"].jaxpr.eqns) > 1]
  assert len(units) == 54
  assert len(set(map(id, units))) == 5  # one for stage 1; the first and the others of 2 and 3


def test_loops_are_walked_as_often_as_they_run():
  def function(x, matrices):
    return lax.scan(lambda x, m: (jnp.tanh(x @ m), None), x, matrices)[0]

  walked = list(walk(trace(function, array(2, 5), array(11, 5, 5))))
  assert {(o.name, times) for o, times in walked} >= {("dot_general", 11), ("tanh", 11)}


def test_what_decides_a_choice_is_counted_too():
  def router(x, m):
    return lax.switch(jnp.argmax((x @ m).sum(0)), [lambda x: x + 1, lambda x: x * 2], x)

  assert cost.count_macs(router, array(3, 5), array(5, 5)) == 3 * 5 * 5


def test_a_loop_that_multiplies_to_decide_is_refused_and_one_of_no_rounds_is_free():
  def until(x, m):
    return lax.while_loop(lambda x: (x @ m).sum() < 3, lambda x: x + 1, x)

  with pytest.raises(ValueError, match="unknown number of rounds"):
    cost.count_macs(until, array(3, 5), array(5, 5))

  def never(x, m):
    return lax.scan(lambda x, _: (x @ m, None), x, None, length=0)[0]

  assert cost.count_macs(never, array(3, 5), array(5, 5)) == 0


def test_rows_of_a_loop_that_nobody_reads_are_not_made():
  def loop(x, a, b):
    carry, (one, other) = lax.scan(lambda x, _: (x + 1, (x @ a, x @ b)), x, None, length=6)
    return carry, one, other

  arguments = array(3, 5), array(5, 5), array(5, 5)
  assert cost.count_macs(loop, *arguments) == 2 * 6 * 75
  assert cost.count_macs(lambda *a: loop(*a)[:2], *arguments) == 6 * 75
  assert cost.count_macs(lambda *a: loop(*a)[0], *arguments) == 0


def test_a_choice_in_a_choice_in_a_choice_costs_its_dearest_way():
  def nested(depth):
    if not depth:
      return lambda x, m: x
    inner = nested(depth - 1)

    def choose(x, m):
      return lax.cond(x.sum() > depth, lambda x: inner(x, m), lambda x: inner(x, m) @ m, x)

    return choose

  assert cost.count_macs(nested(8), array(3, 5), array(5, 5)) == 8 * 75


def test_callbacks_stay_though_nobody_reads_them():
  def function(x):
    jax.debug.print("{}", x)
    return x + 1

  assert cost.of(function, array(3)).uncounted == {"debug_print": 1}


def test_an_argument_that_is_not_there_is_refused():
  with pytest.raises(ValueError, match=r"argument \(=2\) must be one of the 2 given"):
    cost.of(jnp.dot, array(2, 3), array(3, 4), argument=2)
