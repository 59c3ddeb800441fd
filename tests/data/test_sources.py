import hashlib
import subprocess
import sys

import numpy as np
import pytest

from jaxnets import data
from jaxnets.errors import ConfigError, DataError


def test_importing_the_room_and_reading_metadata_loads_nothing_heavy():
  code = (
    "import sys, jaxnets.data as d; d.info('digits'); d.info('synthetic');"
    "heavy = {'jax', 'grain', 'tensorflow_datasets', 'PIL', 'sklearn', 'absl'} & set(sys.modules);"
    "sys.exit(' '.join(heavy) or 0)"
  )
  done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
  assert done.returncode == 0, done.stderr


def test_the_digits_are_the_published_ones():
  train, test = (data.load("digits", split, validation=0) for split in ("train", "test"))
  both = np.concatenate([train.labels, test.labels])
  # Class counts of the UCI test part that scikit-learn documents.
  assert np.bincount(both).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
  assert train.images.shape == (1297, 8, 8, 1)
  assert train.images.dtype == np.uint8
  assert train.images.max() == 255


def test_the_split_of_the_digits_is_fixed_and_stratified():
  test = data.load("digits", "test")
  assert len(test.labels) == 500
  shares = np.bincount(test.labels) / [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
  assert np.abs(shares - 500 / 1797).max() < 1 / 174
  digest = hashlib.sha256(test.labels.astype("<i4").tobytes() + test.images.tobytes()).hexdigest()
  assert digest == "1e4031423f2311b55fe88e1b1d7116fe52fefe15768702c176831763258de6f4"


def test_validation_and_train_share_no_image_and_make_up_stored_train():
  whole, train, held_out = (
    data.load("digits", split, validation=v)
    for split, v in (("train", 0), ("train", 0.1), ("validation", 0.1))
  )
  parts = [i.tobytes() for source in (train, held_out) for i in source.images]
  assert (len(train.labels), len(held_out.labels)) == (1167, 130)
  assert sorted(parts) == sorted(i.tobytes() for i in whole.images)


def test_a_larger_validation_split_holds_the_smaller_one():
  small, large = (data.load("digits", "validation", validation=v).images for v in (0.1, 0.3))
  assert {i.tobytes() for i in small} <= {i.tobytes() for i in large}


def test_no_validation_split_is_an_error_that_says_so():
  with pytest.raises(ConfigError, match="there is no validation split"):
    data.load("digits", "validation", validation=0)


@pytest.mark.parametrize(
  ("options", "message"),
  [
    ({"split": "valid"}, 'Did you mean "validation"'),
    ({"split": "train", "validation": 1.0}, r"\[0, 1\), got 1.0"),
    ({"split": "validation", "validation": 1e-9}, "leaves no image"),
    ({"split": "train", "image_size": 0}, "at least 1 px"),
  ],
)
def test_wrong_values_are_refused(options, message):
  with pytest.raises(ConfigError, match=message):
    data.load("digits", **options)


def test_an_unknown_name_gets_the_nearest_one(tmp_path):
  with pytest.raises(ConfigError, match=r'got "cifar_10".* Did you mean "cifar10"') as caught:
    data.info("cifar_10", tmp_path)
  assert caught.value.exit_code == 2


def test_an_unprepared_set_says_the_command(tmp_path):
  with pytest.raises(DataError) as caught:
    data.load("cifar10", "train", data_dir=tmp_path)
  assert f"python launch.py data prepare cifar10 --data_dir={tmp_path}" in str(caught.value)
  assert "--config.data.name=digits needs no preparation" in str(caught.value)
  assert caught.value.exit_code == 3
  assert str(caught.value).count("\n") <= 1


def test_the_data_directory_is_the_given_one_then_the_environment_then_home(monkeypatch):
  monkeypatch.setenv("TFDS_DATA_DIR", "/b")
  assert str(data.data_directory("/a")) == "/a"
  assert str(data.data_directory()) == "/b"
  monkeypatch.delenv("TFDS_DATA_DIR")
  assert data.data_directory().name == "tensorflow_datasets"


def test_noise_of_any_size_costs_little_memory():
  source = data.load("synthetic", "train", image_size=224, validation=0)
  assert source.images.shape == (50000, 224, 224, 3)
  first, last = np.lib.array_utils.byte_bounds(source.images)
  assert last - first < 10e6
  assert not np.array_equal(source.images[0], source.images[49999])
  assert np.bincount(source.labels).min() > 4700
  train = data.load("synthetic", "train", image_size=224)
  assert len(train.labels) == len(train.images) == 45000
  first, last = np.lib.array_utils.byte_bounds(train.images)
  assert last - first < 10e6


def test_photos_in_class_folders_have_roles(photos):
  name = f"folder:{photos}"
  about = data.info(name)
  assert about.classes == ("a", "b", "c")
  assert about.counts == {"train": 13, "validation": 5}
  assert about.test_split == "validation"
  assert np.bincount(data.load(name, "test").labels).tolist() == [0, 5]
  held_out = data.load(name, "validation", validation=0.2)
  assert len(held_out.labels) == 3
  assert data.training_images(name, 0.2) == 10
  train = data.load(name, "train", validation=0.2)
  files = [s.records(i)[1] for s in (train, held_out) for i in range(len(s.labels))]
  assert len(set(files)) == 13
  assert all(f.split("/")[1] == "abc"[train.labels[i]] for i, f in enumerate(files[:10]))


def test_class_folders_alone_give_a_fixed_fifth_to_the_test(photos):
  name = f"folder:{photos / 'train'}"
  roles = [data.load(name, s, validation=0.2) for s in ("train", "validation", "test")]
  assert [len(r.labels) for r in roles] == [8, 2, 3]
  assert data.training_images(name, 0.2) == 8
  with pytest.raises(ConfigError, match='leaves no image for "train"'):
    data.training_images(name, 0.96)
  assert len({r.records(i)[1] for r in roles for i in range(len(r.labels))}) == 13
  assert data.info(name).test_split == "train"


def test_the_fingerprint_of_a_folder_follows_its_files(photos, tmp_path):
  import shutil

  copy = shutil.copytree(photos, tmp_path / "copy")
  first = data.info(f"folder:{copy}").fingerprint
  assert first == data.info(f"folder:{photos}").fingerprint
  other = shutil.copytree(photos, tmp_path / "other")
  (other / "train" / "a" / "0.jpg").unlink()
  assert data.info(f"folder:{other}").fingerprint != first


@pytest.mark.parametrize("missing", ["nowhere", "empty"])
def test_a_folder_without_images_is_named(tmp_path, missing):
  (tmp_path / "empty").mkdir()
  with pytest.raises(DataError, match=missing):
    data.info(f"folder:{tmp_path / missing}")


@pytest.mark.parametrize("name", ["digits", "synthetic"])
def test_the_shapes_that_are_told_of_sets_that_are_not_here_are_those_of_the_sets(name):
  about = data.info(name)
  assert data.SHAPES[name] == (len(about.classes), about.channels)
