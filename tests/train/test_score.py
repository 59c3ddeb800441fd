import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.train import score

LOGITS = np.array([[2.0, 1.0, 0.0, -1.0, 0.5, 0.25], [0.0, 0.0, 0.0, 0.0, 0.0, 0.0]], np.float32)


def test_cross_entropy_is_minus_the_log_of_the_softmax():
  target = np.eye(6, dtype=np.float32)[[1, 3]]
  softmax = np.exp(LOGITS) / np.exp(LOGITS).sum(1, keepdims=True)
  expected = -np.log(softmax[[0, 1], [1, 3]])
  np.testing.assert_allclose(score.cross_entropy(LOGITS, target), expected, rtol=1e-6)


def test_uniform_logits_cost_the_log_of_the_number_of_classes():
  target = np.full((1, 6), 1 / 6, np.float32)
  np.testing.assert_allclose(score.cross_entropy(LOGITS[1:], target), np.log(6), rtol=1e-6)


def test_smoothing_spreads_its_share_over_all_classes():
  smoothed = score.smooth(jnp.eye(4)[:1], 0.1)
  np.testing.assert_allclose(smoothed, [[0.925, 0.025, 0.025, 0.025]], rtol=1e-6)


@pytest.mark.parametrize(
  ("label", "k", "right"), [(0, 1, 1), (1, 1, 0), (1, 2, 1), (3, 5, 0), (3, 6, 1)]
)
def test_a_label_is_correct_when_fewer_than_k_classes_are_ahead(label, k, right):
  assert score.correct(LOGITS[:1], jnp.array([label]), k)[0] == right


def test_equal_logits_are_not_won_for_free():
  labels = jnp.arange(6)
  ties = jnp.zeros((6, 6))
  assert score.correct(ties, labels, 1).sum() == 1
  assert score.correct(ties, labels, 5).sum() == 5


def test_nan_logits_are_never_correct():
  logits = jnp.full((2, 3), jnp.nan)
  assert score.correct(logits, jnp.array([0, 1]), 1).sum() == 0


def test_masked_images_count_nowhere_even_when_their_loss_is_nan():
  mask = np.array([True, False])
  sums = score.sums(LOGITS, jnp.array([0, 0]), jnp.array([0.5, np.nan]), mask)
  assert {k: float(v) for k, v in sums.items()} == {"loss": 0.5, "top1": 1, "top5": 1, "count": 1}
