import hashlib

import numpy as np

from jaxnets.data import order


def test_every_epoch_is_a_permutation_and_each_is_another():
  seen = order.indices(7, np.arange(3 * 101), 101).reshape(3, 101)
  assert all(np.array_equal(np.sort(epoch), np.arange(101)) for epoch in seen)
  assert not np.array_equal(seen[0], seen[1])
  assert not np.array_equal(seen[1], seen[2])


def test_positions_may_be_asked_for_in_any_order_and_across_epochs():
  positions = np.array([[250, 3], [99, 100]])
  got = order.indices(7, positions, 100)
  wanted = [order.permutation(7, p // 100, 100)[p % 100] for p in positions.ravel().tolist()]
  assert got.ravel().tolist() == wanted


def test_another_seed_gives_another_order():
  assert not np.array_equal(order.permutation(0, 0, 1000), order.permutation(1, 0, 1000))


def test_places_are_equally_likely():
  first = [order.permutation(seed, 0, 4)[0] for seed in range(4000)]
  # Four standard deviations of a binomial with p = 1/4.
  assert np.all(np.abs(np.bincount(first, minlength=4) - 1000) < 4 * (4000 * 3 / 16) ** 0.5)


def test_the_order_never_changes_with_a_release():
  digest = hashlib.sha256(order.permutation(0, 0, 50000).astype("<i8").tobytes()).hexdigest()
  assert digest == "102a4e5751951639dc4e46c4394d2e8482597a81c50c104ebaa3ef3956b9ded8"


def test_words_of_two_indices_do_not_overlap():
  a, b = order.words(0, 0, 1, 1000), order.words(0, 0, 2, 1000)
  assert not set(a.tolist()) & set(b.tolist())
