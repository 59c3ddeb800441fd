"""Numbers that claims are about, of planted run folders."""

import json
import math
from pathlib import Path

import pytest

from jaxnets.claims import agreement, judge
from jaxnets.claims.judge import Gap, Verdict
from jaxnets.claims.measures import GAP, MASKS_SAVE, PARAMS, TEST_ERROR, below
from jaxnets.claims.probed import REACH, RESPONSE, SPARE, ZEROS
from jaxnets.claims.study import Contrast
from jaxnets.claims.trained import CLAIMS, identity, sparsity, speed
from jaxnets.runs import PROBES, Run

NONE = {"gradient_norm": None, "zero_share": None, "energy_90": None, "response_std": None}
LAYERS = {
  "stem": {"gradient_norm": 2.0, "zero_share": 0.5, "energy_90": 0.3, "response_std": 1.0},
  "stage1/conv1": {"gradient_norm": 1.0, "zero_share": 0.8, "energy_90": 0.5, "response_std": 4.0},
  "stage1/conv2": {"gradient_norm": 1.0, "zero_share": 0.6, "energy_90": 0.9, "response_std": 2.0},
  "head": {"gradient_norm": 9.0, "zero_share": 0.0, "energy_90": 1.0, "response_std": 9.0},
  "stem_norm": {"gradient_norm": 7.0},
}


def probed(folder: Path, **changed) -> Run:
  """A run that was probed at steps 1 and 10; gradients were four times as large at first."""
  rows = []
  for step, factor in ((1, 4.0), (10, 1.0)):
    for layer, numbers in (LAYERS | changed).items():
      own = NONE | numbers
      own["gradient_norm"] *= factor
      own["response_std"] = own["response_std"] and own["response_std"] * factor
      rows.append({"step": step, "layer": layer} | own)
  (folder / PROBES).write_text("".join(json.dumps(row) + "\n" for row in rows))
  return Run(folder, "done", "", None, {}, {}, {})


def test_what_layers_are_like_is_a_mean_over_them_at_the_last_probe_without_the_logits(tmp_path):
  run = probed(tmp_path)
  assert ZEROS.of(run) == pytest.approx(60)  # of 50, 80 and 60 %
  assert SPARE.of(run) == pytest.approx(50)  # of 70, 50 and 10 %
  assert RESPONSE.of(run) == pytest.approx(math.log(2))  # (1 * 4 * 2) ** (1 / 3)


def test_how_far_gradients_reach_is_the_first_third_of_the_layers_by_the_last(tmp_path):
  run = probed(tmp_path)
  assert REACH.of(run) == pytest.approx(math.log(2))  # 2 by 1, of the probe at step 10 alone
  gone = LAYERS["stem"] | {"gradient_norm": 0.0}
  assert REACH.of(probed(tmp_path, stem=gone)) is None


def test_a_run_that_was_not_probed_has_no_such_number(tmp_path):
  run = Run(tmp_path, "done", "", None, {}, {}, {})
  assert all(one.of(run) is None for one in (ZEROS, SPARE, RESPONSE, REACH))


def test_masks_save_the_difference_of_two_accuracies_and_nothing_without_dropout():
  def run(dropout, **metrics):
    config = {"net": {"dropout": dropout}}
    return Run(Path("x"), "done", "", None, config, {"metrics": metrics}, {})

  both = {"test_top1": 0.90, "test_masked_top1": 0.91}
  assert MASKS_SAVE.of(run(0.5, **both)) == pytest.approx(1.0)
  assert MASKS_SAVE.of(run(0.5, test_top1=0.9)) is None
  assert MASKS_SAVE.of(run(0.0, test_top1=0.9)) == 0.0


def test_the_gap_is_what_a_net_loses_from_its_training_images_to_others():
  def run(**metrics):
    return Run(Path("x"), "done", "", None, {}, {"metrics": metrics}, {})

  # Errors on images as they were augmented, with dropout, are no part of it.
  assert GAP.of(run(fitted_top1=0.99, test_top1=0.6, train_top1=0.7)) == pytest.approx(39)
  assert GAP.of(run(test_top1=0.6, train_top1=0.7)) is None


def test_a_measure_below_a_number_is_what_is_left_to_it():
  run = Run(Path("x"), "done", "", None, {}, {"metrics": {"test_top1": 0.93}}, {})
  within = below(TEST_ERROR, 7.27)
  assert within.of(run) == pytest.approx(0.27)
  assert within.name == "test error below 7.27 %"
  assert within.of(run._replace(summary={})) is None


def values(**arms):
  return {TEST_ERROR.name: {arm: dict(enumerate(some)) for arm, some in arms.items()}}


ALONE = Contrast("errors exceed 40 points", None, "a", TEST_ERROR, 40.0)


@pytest.mark.parametrize(
  ("found", "word"),
  [
    ((50, 51, 52, 50.5), "supported"),
    ((30, 31, 29, 30.5), "refuted"),
    ((30, 50, 35, 45), "underpowered"),
    ((50,), "underpowered"),
  ],
)
def test_an_arm_alone_is_weighed_against_a_number(found, word):
  assert judge.weigh([ALONE], values(a=found)).word == word


def test_an_arm_alone_that_is_not_done_decides_nothing():
  gaps = {"a": Gap("unfinished", "1 of 4 runs of a are not done")}
  assert judge.weigh([ALONE], values(a=(50, 51, 52)), gaps).word == "unfinished"
  assert judge.weigh([ALONE], {}).word == "unfinished"


def test_sizes_agree_as_far_as_pairs_of_arms_are_in_the_same_order():
  def judged(word, **means):
    found = values(**{arm: (mean, mean + 2) for arm, mean in means.items()})
    return {"C7": Verdict(word, [], {}, found, {})}

  small = judged("supported", a=1, b=2, c=3, only_here=9)
  large = judged("refuted", a=10, b=30, c=20)
  (found,) = agreement.between(("cpu", small), ("gpu", large))
  assert (found.pairs, found.same) == (3, 2)
  assert found.tau == pytest.approx(1 / 3)
  assert agreement.say(found) == (
    "cpu: supported, gpu: refuted; test error: 2 of 3 pairs of arms in the same order, Kendall's "
    "tau +0.33"
  )
  ties = judged("refuted", a=10, b=10)
  (found,) = agreement.between(("cpu", small), ("gpu", ties))
  assert agreement.say(found) == "cpu: supported, gpu: refuted; no pair of arms to compare"
  others = judged("refuted", x=1, y=2)
  assert [one.pairs for one in agreement.between(("cpu", small), ("gpu", others))] == [0]


def test_errors_to_get_to_differ_between_sizes_and_are_one_measure():
  def judged(error):
    arms = {"a": {0: 1.0}, "b": {0: 2.0}}
    return {"C3": Verdict("refuted", [], {}, {f"steps to {error} % training error": arms}, {})}

  (found,) = agreement.between(("cpu", judged(25)), ("laptop", judged(40)))
  assert found.same == 1


def test_an_axis_has_the_unit_of_values_not_of_their_differences():
  assert TEST_ERROR.axis == "test error, %"
  assert PARAMS.axis == "parameters"
  assert speed.TRAINING.axis == "time of a train step, s"
  assert identity.CHANGE.axis == "change of a logit, of the largest, millionths"


def test_the_break_even_of_sparse_kernels_lies_between_the_shares_that_were_timed():
  def logs(slower):
    """Times that go with the share that is kept, `slower` times dense's with all of it."""
    return {"dense": 0.0} | {
      sparsity._name(share): math.log(slower * (1 - share)) for share in sparsity.SHARES
    }

  assert sparsity.break_even(logs(14)) == pytest.approx(100 * (1 - 1 / 14))
  assert sparsity.break_even(logs(1)) == 100 * sparsity.SHARES[0]  # a bound
  assert sparsity.break_even(logs(1e4)) == 100 * sparsity.SHARES[-1]


def test_all_claims_of_the_list_are_there():
  assert list(CLAIMS) == [f"C{number}" for number in range(1, 24)]
