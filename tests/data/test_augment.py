import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.data import augment

KEY = jax.random.key(11)
ALL = {
  "crop_area": (0.3, 1.0),
  "pad": 4,
  "flip": True,
  "colour": 0.4,
  "lighting": 0.1,
  "cutout": 8,
}


@pytest.fixture(scope="module")
def batch():
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (16, 24, 24, 3), np.uint8)
  return {"image": images, "position": np.arange(100, 116, dtype=np.uint32)}


def photo(height=20, width=28, seed=0):
  values = np.random.default_rng(seed).integers(0, 256, (height, width, 3))
  return jnp.asarray(values, jnp.float32)


def test_everything_off_only_changes_the_type(batch):
  got = augment.augment(KEY, batch)
  assert got.dtype == jnp.float32
  assert np.array_equal(got, batch["image"])


def test_pad_crop_is_a_slice_of_the_padded_image():
  image = photo()
  padded = np.pad(np.asarray(image), ((4, 4), (4, 4), (0, 0)), constant_values=9)
  slices = {
    padded[i : i + 20, j : j + 28].tobytes(): (i, j) for i in range(9) for j in range(9)
  }  # fmt: skip
  crop = jax.jit(jax.vmap(lambda key: augment.pad_crop(key, image, 4, 9.0)))
  crops = np.asarray(crop(jax.random.split(KEY, 600)))
  seen = {slices[c.tobytes()] for c in crops}
  assert len(seen) == 81


def test_flip_mirrors_about_half_of_the_images():
  image = photo()
  flipped = np.asarray(jax.vmap(augment.flip, (0, None))(jax.random.split(KEY, 400), image))
  mirrored = [np.array_equal(f, image[:, ::-1]) for f in flipped]
  kept = [np.array_equal(f, image) for f in flipped]
  assert sum(mirrored) + sum(kept) == 400
  assert 160 < sum(mirrored) < 240


def test_lighting_adds_the_stated_combination_of_principal_components():
  image = photo()
  shift = np.asarray(augment.lighting(KEY, image, 0.1) - image)
  assert np.allclose(shift, shift[0, 0], atol=1e-4)
  alpha = 0.1 * np.asarray(jax.random.normal(KEY, (3,)))
  wanted = sum(
    255 * alpha[i] * augment.EIGENVALUES[i] * np.array(augment.EIGENVECTORS)[:, i] for i in range(3)
  )
  assert np.allclose(shift[0, 0], wanted, atol=1e-4)


def test_the_principal_components_are_orthonormal():
  vectors = np.array(augment.EIGENVECTORS)
  assert np.allclose(vectors.T @ vectors, np.eye(3), atol=2e-4)


def test_colour_of_strength_zero_changes_nothing():
  assert np.array_equal(augment.colour(KEY, photo(), 0.0, 0.0, 0.0), photo())


def test_colour_brightness_scales_and_saturation_keeps_grey():
  image = photo() // 2
  got = np.asarray(augment.colour(KEY, image, 0.4, 0.0, 0.0))
  lit = image > 60
  ratio = got[lit] / np.asarray(image)[lit]
  assert ratio.std() < 0.01
  assert 0.6 <= ratio.mean() <= 1.4
  grey = jnp.broadcast_to(image[..., :1], image.shape)
  assert np.array_equal(augment.colour(KEY, grey, 0.0, 0.0, 0.9), grey)


def test_colour_contrast_keeps_the_mean_of_a_grey_image():
  grey = jnp.broadcast_to(100 + photo()[..., :1] // 8, (20, 28, 3))
  got = augment.colour(KEY, grey, 0.0, 0.5, 0.0)
  assert abs(float(got.mean() - grey.mean())) < 0.5
  assert abs(float(got.std() / grey.std()) - 1) > 0.02


def test_cutout_fills_one_square_cut_at_the_border():
  image = photo() + 1
  cut = jax.vmap(lambda key: augment.cutout(key, image, 8))(jax.random.split(KEY, 200))
  holes = np.asarray(cut)[..., 0] == 0
  sizes = set()
  for hole, changed in zip(holes, np.asarray(cut), strict=True):
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    assert hole.sum() == len(rows) * len(columns)
    assert np.array_equal(changed[~hole], np.asarray(image)[~hole])
    sizes.add((len(rows), len(columns)))
  assert (8, 8) in sizes
  assert max(map(max, sizes)) == 8


def test_a_crop_of_the_whole_image_is_the_image():
  image = photo(16, 16)
  got = augment.random_resized_crop(KEY, image, 16, (1.0, 1.0), (1.0, 1.0))
  assert np.allclose(got, image, atol=1e-3)


def test_random_resized_crop_of_a_ramp_is_a_ramp_inside_it():
  ramp = jnp.broadcast_to(jnp.arange(64.0)[None, :, None], (64, 64, 1))
  crop = jax.vmap(lambda key: augment.random_resized_crop(key, ramp, 32, (0.2, 0.5)))
  got = np.asarray(crop(jax.random.split(KEY, 100)))[:, :, 2:-2]
  assert got.min() >= 0
  assert got.max() <= 63
  assert np.allclose(got, got[:, :1], atol=1e-3)  # every row the same
  # The mean slope is the width of the crop over the 32 px of the result.
  widths = (got[:, 0, -1, 0] - got[:, 0, 0, 0]) / 27 * 32
  assert widths.min() > 64 * (0.2 * 3 / 4) ** 0.5 * 0.97
  assert widths.max() < 64 * (0.5 * 4 / 3) ** 0.5 * 1.03
  assert widths.max() > 1.5 * widths.min()


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_mixup_blends_with_the_next_row_and_labels_sum_to_one(batch, alpha):
  images = jnp.float32(batch["image"])
  labels = jax.nn.one_hot(jnp.arange(16) % 10, 10)
  mixed, soft = augment.mixup(KEY, images, labels, alpha)
  share = float(soft[1, 1])
  assert 0 <= share <= 1
  wanted = share * np.asarray(images) + (1 - share) * np.roll(np.asarray(images), 1, axis=0)
  assert np.allclose(mixed, wanted, atol=1e-3)
  assert np.allclose(soft.sum(-1), 1, atol=1e-6)


def test_cutmix_labels_are_the_areas(batch):
  images = jnp.float32(batch["image"])
  labels = jax.nn.one_hot(jnp.arange(16) % 10, 10)
  areas = []
  for i in range(20):
    mixed, soft = augment.cutmix(jax.random.fold_in(KEY, i), images, labels, 1.0)
    pasted = np.all(np.asarray(mixed) == np.roll(batch["image"], 1, axis=0), axis=-1)
    kept = np.all(np.asarray(mixed) == batch["image"], axis=-1)
    assert np.all(pasted | kept)
    areas.append(pasted[1].mean())
    assert float(soft[1, 1]) == pytest.approx(1 - areas[-1], abs=1e-6)
    assert np.allclose(soft.sum(-1), 1, atol=1e-6)
  assert max(areas) > 0.3
  assert min(areas) < 0.2


@pytest.fixture(scope="module")
def step():
  return jax.jit(lambda key, b: augment.augment(key, b, **ALL))


def test_what_happens_to_an_image_does_not_depend_on_its_batch(batch, step):
  whole = step(KEY, batch)
  # A batch of one is compiled to other code.
  sizes = (1, 15)
  starts = np.cumsum((0, *sizes))
  parts = [
    step(KEY, {k: v[i : i + n] for k, v in batch.items()})
    for i, n in zip(starts, sizes, strict=False)
  ]
  assert np.array_equal(whole, np.concatenate(parts))


def test_what_happens_to_an_image_does_not_depend_on_devices():
  code = f"""
import jax, numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jaxnets.data import augment
jax.config.update("jax_num_cpu_devices", 4)
images = np.random.default_rng(0).integers(0, 256, (16, 24, 24, 3), np.uint8)
batch = {{"image": images, "position": np.arange(16, dtype=np.uint32)}}
mesh = jax.make_mesh((4,), ("batch",), axis_types=(AxisType.Auto,))
rows = NamedSharding(mesh, PartitionSpec("batch"))
step = jax.jit(lambda key, b: augment.augment(key, b, **{ALL!r}))
whole = step(jax.random.key(0), jax.device_put(batch, jax.devices()[0]))
parts = step(jax.random.key(0), jax.device_put(batch, rows))
assert len(parts.sharding.device_set) == 4
assert np.array_equal(whole, parts)
"""
  done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
  assert done.returncode == 0, done.stderr


def test_turning_one_operation_on_moves_no_other_draw(batch):
  flipped = np.asarray(augment.augment(KEY, batch, flip=True))
  shifted = np.asarray(augment.augment(KEY, batch, flip=True, lighting=0.1))
  change = shifted - flipped
  assert np.allclose(change, change[:, :1, :1], atol=1e-3)


def test_normalise_and_resize():
  image = photo(16, 16)[None]
  mean, std = np.full((1, 1, 3), 100, np.float32), np.full((1, 1, 3), 50, np.float32)
  assert np.allclose(augment.normalise(image, mean, std), (image - 100) / 50, atol=1e-6)
  # Twice as small: the antialiased triangle weighs 1, 3, 3, 1 eighths.
  small = augment.resize(image, 8)
  assert small.shape == (1, 8, 8, 3)
  weights = np.array([1, 3, 3, 1]) / 8
  patch = np.asarray(image)[0, 3:7, 5:9]
  wanted = np.einsum("i,j,ijc->c", weights, weights, patch)
  assert np.allclose(small[0, 2, 3], wanted, atol=1e-3)
  assert np.array_equal(augment.resize(image, 16), image)
