import functools
import multiprocessing

import numpy as np
import pytest
from PIL import Image

from jaxnets import data
from jaxnets.data import batches, crops
from jaxnets.errors import ConfigError, DataError


@pytest.fixture(scope="module")
def digits():
  return data.load("digits", "train")


def joined(stream):
  parts = list(stream)
  return {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}


def same(a, b):
  return a.keys() == b.keys() and all(np.array_equal(a[k], b[k]) for k in a)


def test_one_epoch_sees_every_image_once_and_runs_into_the_next(digits):
  n = len(digits.labels)
  assert n % 128 != 0
  got = joined(batches.train_batches(digits, seed=3, batch=128, steps=2 * n // 128 + 1))
  for epoch in range(2):
    images = got["image"][epoch * n : (epoch + 1) * n]
    assert sorted(i.tobytes() for i in images) == sorted(i.tobytes() for i in digits.images)
  assert np.array_equal(got["position"], np.arange(len(got["position"])))
  assert got["position"].dtype == np.uint32
  assert got["label"].dtype == np.int32


def test_labels_belong_to_their_images(digits):
  got = joined(batches.train_batches(digits, seed=3, batch=100, steps=3))
  pairs = zip(digits.images, digits.labels, strict=True)
  lookup = {image.tobytes(): label for image, label in pairs}
  assert [lookup[image.tobytes()] for image in got["image"]] == got["label"].tolist()


@pytest.mark.parametrize("hosts", [2, 3, 4])
def test_hosts_together_have_the_batches_of_one_host(digits, hosts):
  whole = list(batches.train_batches(digits, seed=0, batch=48, steps=40))
  parts = [
    list(batches.train_batches(digits, seed=0, batch=48, steps=40, host=(i, hosts)))
    for i in range(hosts)
  ]
  for step, batch in enumerate(whole):
    assert same(batch, joined(part[step] for part in parts))


def test_starting_at_a_step_gives_the_batches_from_there(digits):
  whole = list(batches.train_batches(digits, seed=0, batch=100, steps=30))
  later = list(batches.train_batches(digits, seed=0, batch=100, start_step=17, steps=13))
  assert len(later) == 13
  assert all(same(a, b) for a, b in zip(whole[17:], later, strict=True))


def test_a_batch_may_be_larger_than_the_set(photos):
  source = data.load(f"folder:{photos}", "train", image_size=16, validation=0)
  (batch,) = batches.train_batches(source, seed=0, batch=40, steps=1)
  assert batch["image"].shape == (40, 16, 16, 3)
  # Three epochs of 7, 4 and 2, and one more image.
  assert np.bincount(batch["label"][:39]).tolist() == [21, 12, 6]


@pytest.mark.parametrize(
  ("kind", "workers"), [*((kind, 0) for kind in crops.KINDS), ("random_resized", 2)]
)
def test_a_stream_equals_the_pure_function_of_its_steps(photos, kind, workers):
  source = data.load(f"folder:{photos}", "train", validation=0.2)
  stream = batches.train_batches(
    source, seed=5, batch=6, start_step=3, steps=5, workers=workers, image_size=24, crop=kind
  )
  crop = crops.checked(kind, 24)
  wanted = [
    batches.train_batch(source, step, seed=5, batch=6, host=(0, 1), image_size=24, crop=crop)
    for step in range(3, 8)
  ]
  assert all(same(a, b) for a, b in zip(stream, wanted, strict=True))


def test_crops_of_an_image_change_with_epoch_and_seed_only(photos):
  source = data.load(f"folder:{photos}", "train", validation=0)
  n = len(source.labels)
  make = functools.partial(batches.train_batch, source, host=(0, 1), image_size=24)
  crop = crops.checked("random_resized", 24)
  twice = make(0, seed=1, batch=2 * n, crop=crop)
  alone = [make(i, seed=1, batch=1, crop=crop)["image"][0] for i in range(2 * n)]
  assert np.array_equal(twice["image"], alone)
  assert len({image.tobytes() for image in alone}) == 2 * n
  other = make(0, seed=2, batch=2 * n, crop=crop)
  assert not {i.tobytes() for i in alone} & {i.tobytes() for i in other["image"]}


@pytest.mark.parametrize(("batch", "hosts"), [(64, 1), (64, 4), (1000, 2), (500, 1), (6, 3)])
def test_evaluation_sees_every_image_once_over_all_hosts(batch, hosts):
  source = data.load("digits", "test")
  parts = [list(batches.eval_batches(source, batch=batch, host=(i, hosts))) for i in range(hosts)]
  assert {len(part) for part in parts} == {-(-500 // batch)}
  assert {len(b["mask"]) for part in parts for b in part} == {batch // hosts}
  got = joined(b for part in parts for b in part)
  images = got["image"][got["mask"]]
  assert sorted(i.tobytes() for i in images) == sorted(i.tobytes() for i in source.images)


def test_streamed_evaluation_is_a_central_crop(tmp_path):
  folder = tmp_path / "train" / "a"
  folder.mkdir(parents=True)
  ramp = np.tile(np.arange(64, dtype=np.uint8)[None, :, None] * 3, (32, 1, 3))
  Image.fromarray(ramp).save(folder / "0.png")
  (tmp_path / "test" / "a").mkdir(parents=True)
  Image.fromarray(ramp).save(tmp_path / "test" / "a" / "0.png")
  source = data.load(f"folder:{tmp_path}", "test")
  (batch,) = batches.eval_batches(source, batch=2, image_size=16, short_side=32)
  assert np.array_equal(batch["image"][0], ramp[8:24, 24:40])
  assert batch["mask"].tolist() == [True, False]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_that_is_left_early_leaves_no_process(photos, workers):
  source = data.load(f"folder:{photos}", "train")
  stream = batches.train_batches(source, seed=0, batch=2, image_size=8, workers=workers)
  next(stream)
  stream.close()
  assert not multiprocessing.active_children()


def test_a_damaged_photo_is_named(photos, tmp_path):
  folder = tmp_path / "train" / "a"
  folder.mkdir(parents=True)
  whole = (photos / "train" / "a" / "0.jpg").read_bytes()
  (folder / "0.jpg").write_bytes(whole)
  (folder / "1.jpg").write_bytes(whole[: len(whole) // 2])
  source = data.load(f"folder:{tmp_path}", "train", validation=0)
  bad = next(i for i in range(len(source.labels)) if source.records(i)[1].endswith("1.jpg"))
  message = rf"folder:.* train image {bad} \(train/a/1.jpg\): cannot decode"
  with pytest.raises(DataError, match=message):
    list(batches.train_batches(source, seed=0, batch=2, steps=4, image_size=8))


def test_a_photo_of_too_many_pixels_is_refused(photos, monkeypatch):
  monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
  source = data.load(f"folder:{photos}", "test")
  with pytest.raises(DataError, match="bomb"):
    next(batches.eval_batches(source, batch=1, image_size=8))


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"batch": 100, "host": (0, 8)}, r"batch \(=100\) must be a positive multiple of hosts \(=8\)"),
    ({"batch": 8, "host": (2, 2)}, "host must be"),
    ({"batch": 8, "start_step": -1}, "start_step"),
    ({"batch": 8, "crop": "randm_resized"}, 'Did you mean "random_resized"'),
    ({"batch": 8, "crop": crops.Crop(area=(0.0, 1.0))}, "crop area"),
    ({"batch": 8, "crop": crops.Crop("fixed", short_side=(4,))}, "short_side"),
    ({"batch": 8, "workers": -1}, "workers"),
  ],
)
def test_wrong_values_are_refused_before_the_first_batch(digits, options, message):
  with pytest.raises(ConfigError, match=message):
    batches.train_batches(digits, seed=0, **options)
