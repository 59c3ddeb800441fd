"""Each feature against skimage, a closed form, or what its definition says of simple images."""

import math

import numpy as np
import pytest

from jaxnets.classical import (
  colour,
  config,
  features,
  gist,
  hog,
  images,
  keypoints,
  lbp,
  patches,
  sift,
)

RNG = np.random.default_rng(3)
PHOTOS = RNG.integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
PLAIN = np.full((1, 16, 16, 1), 77, np.uint8)


def section(name, **fields):
  return config.changed({f"{name}.{key}": value for key, value in fields.items()})[name]


def ramp(right, down, size=16):
  """One image whose grey rises by so many levels a px along the row and down the column."""
  y, x = np.mgrid[:size, :size] - size // 2
  return (128 + right * x + down * y).astype(np.uint8)[None, ..., None]


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("cell", "block", "orientations"), [(8, 2, 9), (4, 2, 9), (5, 3, 6)])
def test_hog_is_that_of_skimage(channels, cell, block, orientations):
  from skimage.feature import hog as reference

  photos = PHOTOS[..., :channels]
  own = hog.describe(photos, section("hog", cell=cell, block=block, orientations=orientations))
  theirs = [
    reference(
      photo if channels == 3 else photo[..., 0], orientations, (cell, cell), (block, block),
      "L2-Hys", channel_axis=-1 if channels == 3 else None,
    )
    for photo in photos
  ]  # fmt: skip
  np.testing.assert_allclose(own, theirs, atol=1e-6)


@pytest.mark.parametrize(
  ("right", "down", "first"), [(4, 0, 0), (4, 4, 2), (0, 4, 4), (-4, 4, 6), (-4, -4, 2)]
)
def test_hog_of_a_ramp_has_one_orientation(right, down, first):
  histogram = hog.cell_histograms(ramp(right, down, 20), 4, 9)[0, 1:4, 1:4]  # without the border
  assert histogram[..., first] == pytest.approx(np.full((3, 3), 2 * math.hypot(right, down)))
  assert histogram.sum() == pytest.approx(histogram[..., first].sum())


def test_hog_of_a_constant_image_is_zero():
  assert not hog.describe(PLAIN, section("hog", cell=4)).any()


def test_a_constant_image_has_only_the_pattern_of_ones():
  shares = lbp.describe(PLAIN, section("lbp", method="uniform", grid=2)).reshape(4, 10)
  assert (shares[:, 8] == 1).all()
  assert shares.sum() == 4


def test_uniform_patterns_do_not_turn_with_the_image():
  about = section("lbp", points=4, method="uniform", grid=1)  # 4 neighbours: no interpolation
  turned = np.rot90(PHOTOS, axes=(1, 2))
  np.testing.assert_array_equal(lbp.describe(turned, about), lbp.describe(PHOTOS, about))


def test_patterns_of_a_stack_are_those_of_each_image_alone():
  from skimage.feature import local_binary_pattern

  about = section("lbp")
  light = images.grey(PHOTOS)
  alone = [local_binary_pattern(np.pad(one, 1, mode="edge"), 8, 1, "nri_uniform") for one in light]
  np.testing.assert_array_equal(lbp.patterns(light, about), np.array(alone)[:, 1:-1, 1:-1])


@pytest.mark.parametrize("part", features.FEATURES)
def test_an_image_is_described_alike_wherever_it_stands_and_by_any_number_of_threads(part):
  about = config.changed({"kmeans.sample": 500, "kmeans.centroids": 20, "sift.words": 20})
  y, x = np.mgrid[:32, :32]
  # Where what is between two pixels is as light as a third, roundings choose the pattern.
  stairs = (100 + x // 2 + y).astype(np.uint8)[None, ..., None].repeat(3, axis=3)
  photos = np.concatenate([PHOTOS, stairs])
  fitted = features.fit(part, photos, about)
  many = np.concatenate([photos] * 100)
  found = features.describe(part, many, about, fitted, jobs=2)
  np.testing.assert_array_equal(found, features.describe(part, many, about, fitted))
  alone = features.describe(part, photos, about, fitted)
  np.testing.assert_allclose(found, np.concatenate([alone] * 100), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("scale", "orientation"), [(0, 0), (1, 2), (2, 5)])
def test_gist_answers_most_to_the_grating_that_a_filter_is_for(scale, orientation):
  frequency = 0.3 / 1.85**scale
  angle = math.pi * orientation / 8
  y, x = np.mgrid[:32, :32]
  wave = np.cos(2 * np.pi * frequency * (x * math.cos(angle) + y * math.sin(angle)))
  grating = np.rint(128 + 100 * wave).astype(np.uint8)[None, ..., None]
  energies = gist.describe(grating, section("gist")).reshape(3, 8, 16).mean(axis=2)
  assert np.unravel_index(energies.argmax(), (3, 8)) == (scale, orientation)


def test_gist_of_a_constant_image_is_zero():
  np.testing.assert_allclose(gist.describe(PLAIN, section("gist")), 0, atol=1e-6)


def test_gist_filters_are_the_formula_of_their_authors():
  gabors = gist.filters(32, 3, 8)
  frequency, centre, turn = 6 / 32, 0.3 / 1.85, math.pi / 8  # along x, beside the filter's own axis
  expected = math.exp(-3.5 * (frequency / centre - 1) ** 2 - 2 * math.pi * turn**2)
  assert gabors[8 + 1, 0, 6] == pytest.approx(expected)


@pytest.mark.parametrize(
  ("right", "down", "direction"), [(3, 0, 0), (3, 3, 1), (0, 3, 2), (-3, 0, 4), (0, -3, 6)]
)
def test_a_descriptor_of_a_ramp_has_one_direction(right, down, direction):
  about = section("sift", bin=4, step=4)
  inner = sift.descriptors(ramp(right, down, 32), about)[0, 2, 2].reshape(16, 8)
  window = np.exp(-(((np.arange(4) - 1.5) / 2) ** 2) / 2)  # Gaussian, half the patch's width
  unit = np.outer(window, window) / (window**2).sum()
  clipped = np.minimum(unit, 0.2)
  np.testing.assert_allclose(
    inner[:, direction], clipped.ravel() / np.linalg.norm(clipped), rtol=1e-4
  )
  np.testing.assert_allclose(inner.sum(axis=1), inner[:, direction], rtol=1e-4)


def test_descriptors_have_length_one_and_flat_patches_none():
  found = sift.descriptors(PHOTOS, section("sift")).reshape(-1, 128)
  np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
  assert not sift.descriptors(PLAIN, section("sift")).any()


def test_descriptors_turn_with_the_image():
  about = section("sift", bin=4, step=4)
  upright = sift.descriptors(PHOTOS, about).reshape(5, 5, 5, 4, 4, 8)
  turned = sift.descriptors(PHOTOS.transpose(0, 2, 1, 3), about).reshape(5, 5, 5, 4, 4, 8)
  mirrored = turned.transpose(0, 2, 1, 4, 3, 5)[..., (2 - np.arange(8)) % 8]
  np.testing.assert_allclose(mirrored, upright, atol=1e-5)


def test_the_nearest_word_is_the_nearest():
  words = sift.Words(RNG.random((7, 128), np.float32))
  points = RNG.random((40, 128), np.float32)
  distances = np.linalg.norm(points[:, None] - words.centres, axis=2)
  np.testing.assert_array_equal(sift.nearest_words(points, words), distances.argmin(axis=1))


def blobs(*centres):
  """An image of 32 px with a bright blob at each (row, column)."""
  y, x = np.mgrid[:32, :32]
  light = sum(np.exp(-((y - a) ** 2 + (x - b) ** 2) / 8) for a, b in centres)
  return np.rint(255 * np.minimum(light, 1)).astype(np.uint8)[None, ..., None]


def test_keypoints_and_their_descriptors_are_those_of_skimage():
  from skimage.feature import SIFT

  about = section("sift", detector="keypoints", words=4, sample=10**6, grid=1)
  photo = blobs((9, 9), (22, 20))
  reference = SIFT()
  reference.detect_and_extract(photo[0, ..., 0])
  (found,) = keypoints.keypoints(photo)
  assert len(found.places) > 1
  np.testing.assert_array_equal(found.places, reference.keypoints)
  np.testing.assert_array_equal(found.descriptors, reference.descriptors)
  words = sift.Words(found.descriptors[:2])
  distances = np.linalg.norm(found.descriptors[:, None] - words.centres, axis=2)
  shares = np.bincount(distances.argmin(axis=1), minlength=2) / len(distances)
  assert sift.describe(photo, about, words)[0] == pytest.approx(shares)


def test_a_bag_of_keypoints_lies_in_the_cells_where_they_are():
  about = section("sift", detector="keypoints", grid=2)
  photo = blobs((24, 8))
  words = sift.Words(next(keypoints.keypoints(photo)).descriptors[:1])
  assert sift.describe(photo, about, words)[0] == pytest.approx([0, 0, 1, 0])


def test_an_image_without_keypoints_has_an_empty_bag():
  about = section("sift", detector="keypoints", words=3, grid=2)
  words = sift.Words(RNG.random((3, 128), np.float32))
  bags = sift.describe(np.concatenate([PLAIN, PLAIN]), about, words)
  assert bags.shape == (2, 12)
  assert not bags.any()


def test_words_at_keypoints_are_learned_from_as_many_descriptors_as_there_are_wanted():
  photos = np.concatenate([PHOTOS, PHOTOS[:, ::-1]])
  each = np.concatenate([one.descriptors for one in keypoints.keypoints(photos)])
  np.testing.assert_array_equal(keypoints.sampled(photos, 7), each[:7])
  np.testing.assert_array_equal(keypoints.sampled(photos, 10**6), each)
  about = section("sift", detector="keypoints", words=5, sample=40, grid=1)
  assert sift.fit(PHOTOS, about, 0).centres.shape == (5, 128)


def test_bags_are_shares_of_the_descriptors_of_each_cell():
  about = section("sift", words=5, sample=300, grid=2)
  bags = sift.describe(PHOTOS, about, sift.fit(PHOTOS, about, 0))
  np.testing.assert_allclose(bags.reshape(5, 4, 5).sum(axis=2), 1, rtol=1e-6)


def test_a_colour_histogram_counts_joint_bins():
  red_above_blue = np.zeros((1, 4, 4, 3), np.uint8)
  red_above_blue[:, :2, :, 0], red_above_blue[:, 2:, :, 2] = 255, 64
  shares = colour.describe(red_above_blue, section("colour", bins=4, grid=1))[0]
  assert {i: shares[i] for i in np.flatnonzero(shares)} == {3 * 16: 0.5, 1: 0.5}


def test_whitened_patches_have_covariance_one():
  mixed = RNG.normal(size=(4000, 6)) @ RNG.normal(size=(6, 6)) + 5
  mean, matrix = patches.zca(mixed, 0)
  np.testing.assert_allclose(np.cov((mixed - mean) @ matrix, rowvar=False), np.eye(6), atol=1e-4)
  np.testing.assert_allclose(matrix, matrix.T, atol=1e-6)


def test_whitening_divides_by_the_root_of_variance_plus_epsilon():
  points = np.array([[3.0, 0], [-3, 0], [0, 1], [0, -1]])  # variances 6 and 2/3, uncorrelated
  _, matrix = patches.zca(points, 0.25)
  expected = np.diag([1 / math.sqrt(6.25), 1 / math.sqrt(2 / 3 + 0.25)])
  np.testing.assert_allclose(matrix, expected, rtol=1e-6, atol=1e-9)


def test_contrast_is_taken_out_of_a_patch():
  patch = np.array([[1, 2, 3, 4]], np.float32)  # variance 5/3
  expected = (patch - 2.5) / math.sqrt(5 / 3 + 10)
  np.testing.assert_allclose(patches.contrast(patch, 10.0), expected, rtol=1e-6)


def test_the_triangle_is_what_a_centroid_is_nearer_than_the_mean():
  centroids = np.array([[1.0, 2], [4, 6], [7, 10]])
  found = patches.triangle(np.array([[1.0, 2]]), centroids)  # distances 0, 5, 10; mean 5
  np.testing.assert_allclose(found, [[5, 0, 0]], atol=1e-6)


def test_patches_at_a_centroid_are_as_near_as_in_twice_the_digits():
  draw = np.random.default_rng(0).normal
  points = draw(size=(500, 108)).astype(np.float32)
  points[::7] = points[3] + draw(scale=1e-3, size=(72, 108))
  centroids = points[:20].copy()
  distance = np.linalg.norm(points[:, None].astype(float) - centroids, axis=2)
  expected = np.maximum(distance.mean(axis=1, keepdims=True) - distance, 0)
  found = patches.triangle(points, centroids)
  np.testing.assert_allclose(found, expected, rtol=1e-5, atol=5e-5)


def test_quadrants_are_summed_and_the_first_rounds_up():
  sums = patches.quadrants(np.ones((1, 5, 4, 1)))
  np.testing.assert_array_equal(sums[0, ..., 0], [[6, 6], [4, 4]])


def test_kmeans_finds_clusters_that_are_far_apart():
  from jaxnets.classical.clustering import centres

  true = np.array([[0, 0], [100, 0], [0, 100]])
  points = (true[:, None] + RNG.uniform(-1, 1, (3, 50, 2))).reshape(-1, 2)
  found = centres(points, 3, seed=1)
  means = points.reshape(3, 50, 2).mean(axis=1)
  order = [int(np.linalg.norm(found - mean, axis=1).argmin()) for mean in means]
  np.testing.assert_allclose(found[order], means, atol=1e-4)


@pytest.mark.parametrize("part", features.FEATURES)
def test_an_image_is_described_by_itself(part):
  about = config.changed(
    {"pipeline.features": part, "kmeans.centroids": 6, "kmeans.sample": 300,
     "sift.words": 6, "sift.sample": 300}
  )  # fmt: skip
  fitted = features.fit(part, PHOTOS, about)
  together = features.describe(part, PHOTOS, about, fitted)
  alone = features.describe(part, PHOTOS[2:3], about, fitted)
  assert together.dtype == np.float32
  assert together.shape == (5, alone.shape[1])
  np.testing.assert_allclose(alone[0], together[2], rtol=1e-4, atol=1e-5)
  assert np.abs(together - together[0]).max() > 0.01  # and not all the same


def test_features_that_do_not_fit_the_image_are_refused():
  small = config.changed({"pipeline.features": "hog", "data.image_size": 8})
  with pytest.raises(Exception, match=r"images of 8 px are too small for hog with .*hog.cell=8"):
    features.check_size(small)


def test_images_are_resampled_as_those_of_a_net():
  import jax.numpy as jnp

  from jaxnets.data import augment

  for size in (20, 48):
    expected = np.asarray(augment.resize(jnp.asarray(PHOTOS), size))
    assert np.abs(images.resized(PHOTOS, size) - expected).max() < 0.501  # rounded


def test_multiply_adds_follow_the_counting_rule():
  one = config.changed({"pipeline.features": "hog+kmeans", "kmeans.centroids": 100})
  differences, votes, blocks = 4 * 3 * 1024, 1024, 2 * 9 * 4 * 9
  each_patch = 2 * 108 + 108 * 108 + 108 * 100 + 100
  assert features.macs(one, 3) == differences + votes + blocks + 27 * 27 * each_patch
