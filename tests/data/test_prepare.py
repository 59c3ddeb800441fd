import json
import signal
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from jaxnets import data
from jaxnets.data import archives, originals, prepared
from jaxnets.data.batches import eval_batches, train_batches
from jaxnets.data.prepare import prepare
from jaxnets.data.statistics import channel_statistics
from jaxnets.data.verify import verify
from jaxnets.errors import ConfigError, DataError
from tests import real_data

# Images per digit in the published MNIST training set.
MNIST_COUNTS = [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]


def nothing_partial(directory, name):
  return not (directory / name).exists() and not list(directory.glob(f".{name}.tmp-*"))


def test_a_set_is_prepared_once_and_read_back(tiny_mnist, tmp_path):
  directory = tmp_path / "data"
  path, done = prepare("mnist", data_dir=directory, source=tiny_mnist)
  assert done
  assert path == directory / "mnist" / "3.0.1"
  assert prepare("mnist", data_dir=directory, source=tiny_mnist) == (path, False)
  about = data.info("mnist", directory)
  assert about.counts == {"train": 50, "test": 20}
  assert about.in_memory
  published = archives.idx("mnist", tiny_mnist).splits["train"]
  source = data.load("mnist", "train", data_dir=directory, validation=0)
  wanted = zip(published.images, published.labels["label"], strict=True)
  got = zip(source.images, source.labels, strict=True)
  assert sorted((i.tobytes(), n) for i, n in got) == sorted((i.tobytes(), n) for i, n in wanted)
  assert verify("mnist", directory) == {"train": 50, "test": 20}


def test_the_fingerprint_is_the_same_wherever_it_was_prepared(tiny_mnist, tmp_path):
  for name in ("a", "b"):
    prepare("mnist", data_dir=tmp_path / name, source=tiny_mnist)
  a, b = (data.info("mnist", tmp_path / name).fingerprint for name in ("a", "b"))
  assert a == b
  shard = next((tmp_path / "b").glob("mnist/*/mnist-train*"))
  shard.write_bytes(shard.read_bytes() + b"x")
  assert data.info("mnist", tmp_path / "b").fingerprint != a


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b[:-1] + bytes([b[-1] ^ 1])])
def test_a_truncated_or_other_file_is_named_and_nothing_written(tiny_mnist, tmp_path, damage):
  file = tiny_mnist / "t10k-labels-idx1-ubyte.gz"
  file.write_bytes(damage(file.read_bytes()))
  with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte.gz: the checksum is \w{64}, wanted"):
    prepare("mnist", data_dir=tmp_path / "data", source=tiny_mnist)
  assert nothing_partial(tmp_path / "data", "mnist")


def test_files_that_are_not_there_are_named(tmp_path):
  with pytest.raises(DataError, match=r"lay train-images-idx3-ubyte.gz, .*there"):
    prepare("mnist", data_dir=tmp_path / "data", source=tmp_path)
  with pytest.raises(DataError, match="is no directory"):
    prepare("mnist", data_dir=tmp_path / "data", source=tmp_path / "nowhere")


def test_a_killed_preparation_leaves_nothing_and_the_next_one_succeeds(tiny_mnist, tmp_path):
  directory = tmp_path / "data"
  code = f"""
import os, signal
from jaxnets.data import archives, builders, originals, prepare
originals.ARCHIVES["mnist"] = {tuple(tuple(a) for a in originals.ARCHIVES["mnist"])!r}
originals.ARCHIVES["mnist"] = tuple(originals.Archive(*a) for a in originals.ARCHIVES["mnist"])
png, made = builders._png, []
def killing(image):
  made.append(1)
  if len(made) == 60:  # in the second split: the first is written by then
    os.kill(os.getpid(), signal.SIGKILL)
  return png(image)
builders._png = killing
prepare.prepare("mnist", data_dir={str(directory)!r}, source={str(tiny_mnist)!r})
"""
  done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
  assert done.returncode == -signal.SIGKILL, done.stderr.decode()
  assert not (directory / "mnist").exists()
  assert list(directory.glob(".mnist.tmp-*"))
  with pytest.raises(DataError, match="not prepared"):
    data.info("mnist", directory)
  assert prepare("mnist", data_dir=directory, source=tiny_mnist)[1]
  assert not list(directory.glob(".mnist.tmp-*"))


def test_an_error_while_writing_leaves_nothing(tiny_mnist, tmp_path, monkeypatch):
  from jaxnets.data import builders

  def failing(image):
    raise DataError("cannot")

  monkeypatch.setattr(builders, "_png", failing)
  with pytest.raises(DataError, match="cannot"):
    prepare("mnist", data_dir=tmp_path / "data", source=tiny_mnist)
  assert nothing_partial(tmp_path / "data", "mnist")


def test_two_preparations_wait_for_each_other(tiny_mnist, tmp_path):
  import fcntl

  directory = tmp_path / "data"
  directory.mkdir()
  results = []
  with (directory / ".mnist.lock").open("w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    work = threading.Thread(
      target=lambda: results.append(prepare("mnist", data_dir=directory, source=tiny_mnist))
    )
    work.start()
    work.join(0.3)
    assert work.is_alive()
    assert not results
  work.join(60)
  assert results[0][1]


def test_a_damaged_prepared_set_is_named_and_never_replaced(tiny_mnist, tmp_path):
  path, _ = prepare("mnist", data_dir=tmp_path, source=tiny_mnist)
  shard = next(path.glob("mnist-test*"))
  content = shard.read_bytes()
  shard.unlink()
  for act in (data.info, lambda name, where: prepare(name, data_dir=where, source=tiny_mnist)):
    with pytest.raises(DataError, match=r"mnist-test.array_record-00000-of-00001 is missing"):
      act("mnist", tmp_path)
  shard.write_bytes(content)
  assert prepare("mnist", data_dir=tmp_path, source=tiny_mnist) == (path, False)
  (path / "dataset_info.json").write_text("{")
  with pytest.raises(DataError, match=r"metadata .* damaged"):
    data.info("mnist", tmp_path)
  (path / "dataset_info.json").unlink()
  with pytest.raises(DataError, match="without being a prepared set"):
    prepare("mnist", data_dir=tmp_path, source=tiny_mnist)
  assert shard.read_bytes() == content


def test_a_set_without_the_split_of_a_role_says_what_it_stores(tiny_mnist, tmp_path):
  path, _ = prepare("mnist", data_dir=tmp_path, source=tiny_mnist)
  about = json.loads((path / "dataset_info.json").read_text())
  about["splits"] = [split for split in about["splits"] if split["name"] == "test"]
  (path / "dataset_info.json").write_text(json.dumps(about))
  assert len(data.load("mnist", "test", data_dir=tmp_path).labels) == 20
  with pytest.raises(DataError, match='stores test: nothing for "train"'):
    data.load("mnist", "train", data_dir=tmp_path)


def test_a_damaged_shard_is_named(tiny_mnist, tmp_path):
  path, _ = prepare("mnist", data_dir=tmp_path, source=tiny_mnist)
  shard = next(path.glob("mnist-test*"))
  content = bytearray(shard.read_bytes())
  content[200:2000] = bytes(1800)
  shard.write_bytes(content)
  with pytest.raises(DataError, match=r"mnist/3.0.1: records 0 to 19 cannot be read"):
    verify("mnist", tmp_path)


def test_records_of_another_format_are_refused(tiny_mnist, tmp_path):
  path, _ = prepare("mnist", data_dir=tmp_path, source=tiny_mnist)
  text = (path / "dataset_info.json").read_text()
  (path / "dataset_info.json").write_text(text.replace("array_record", "tfrecord", 1))
  with pytest.raises(DataError, match="holds tfrecord, wanted array_record"):
    data.info("mnist", tmp_path)


def test_files_are_fetched_checked_and_kept(tiny_mnist, tmp_path, monkeypatch):
  handler = partial(SimpleHTTPRequestHandler, directory=str(tiny_mnist))
  monkeypatch.setattr(SimpleHTTPRequestHandler, "log_message", lambda *_: None)
  server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
  threading.Thread(target=server.serve_forever, daemon=True).start()
  site = f"http://127.0.0.1:{server.server_port}/"
  here = tuple(a._replace(url=site + a.file) for a in originals.ARCHIVES["mnist"])
  monkeypatch.setitem(originals.ARCHIVES, "mnist", here)
  directory = tmp_path / "data"
  try:
    assert prepare("mnist", data_dir=directory)[1]
    kept = sorted(p.name for p in (directory / "downloads" / "mnist").iterdir())
    assert kept == sorted(a.file for a in here)
    wrong = (here[0]._replace(sha256="0" * 64), *here[1:])
    monkeypatch.setitem(originals.ARCHIVES, "mnist", wrong)
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte.gz: the checksum is"):
      prepare("mnist", data_dir=tmp_path / "other")
    assert not list((tmp_path / "other" / "downloads" / "mnist").iterdir())
  finally:
    server.shutdown()
    server.server_close()
  with pytest.raises(DataError, match=r"cannot fetch .*\n.*--from=DIR"):
    prepare("mnist", data_dir=tmp_path / "offline")


def test_names_that_cannot_be_prepared(tmp_path):
  with pytest.raises(ConfigError, match="digits needs no preparation"):
    prepare("digits", data_dir=tmp_path)
  with pytest.raises(ConfigError, match='Did you mean "cifar10"'):
    prepare("cifar11", data_dir=tmp_path)
  with pytest.raises(ConfigError, match="lower case"):
    prepare("../x", data_dir=tmp_path, source=tmp_path)
  with pytest.raises(DataError, match="needs registration"):
    prepare("imagenet2012", data_dir=tmp_path)


def test_a_folder_becomes_records_of_the_same_bytes(photos, tmp_path):
  prepare("flowers", data_dir=tmp_path, source=photos)
  about = data.info("flowers", tmp_path)
  assert about.counts == {"train": 13, "validation": 5}
  assert about.classes == ("a", "b", "c")
  assert not about.in_memory
  source = data.load("flowers", "train", data_dir=tmp_path, validation=0)
  folder = data.load(f"folder:{photos}", "train", validation=0)
  rows = range(13)
  got = sorted((source.records(i)[0], int(source.labels[i])) for i in rows)
  assert got == sorted((folder.records(i)[0], int(folder.labels[i])) for i in rows)
  # Labels are found by reading every record, and kept.
  assert len(list(tmp_path.glob("flowers/1.0.0/labels-train-*.npy"))) == 1
  again = data.load("flowers", "train", data_dir=tmp_path, validation=0)
  assert np.array_equal(again.labels, source.labels)


def test_prepared_photos_stream_the_same_with_workers(photos, tmp_path):
  prepare("flowers", data_dir=tmp_path, source=photos)
  source = data.load("flowers", "train", data_dir=tmp_path)
  options = {"seed": 0, "batch": 4, "steps": 4, "image_size": 16}
  here = list(train_batches(source, **options))
  there = list(train_batches(source, workers=2, **options))
  assert all(np.array_equal(a["image"], b["image"]) for a, b in zip(here, there, strict=True))
  test = data.load("flowers", "test", data_dir=tmp_path)
  assert sum(b["mask"].sum() for b in eval_batches(test, batch=4, image_size=16)) == 5


def test_verify_names_the_damaged_image(photos, tmp_path):
  import shutil

  copy = shutil.copytree(photos, tmp_path / "copy")
  (copy / "train" / "b" / "2.jpg").write_bytes(b"\xff\xd8 no image")
  prepare("flowers", data_dir=tmp_path, source=copy)
  with pytest.raises(DataError, match=r"flowers train image \d+ \(record \d+ of train\): cannot"):
    verify("flowers", tmp_path)


def test_mnist_is_the_published_one():
  splits = archives.idx("mnist", real_data.originals("mnist")).splits
  assert np.bincount(splits["train"].labels["label"]).tolist() == MNIST_COUNTS
  assert splits["train"].images.shape == (60000, 28, 28, 1)
  # The mean and deviation that everybody normalises MNIST with.
  assert splits["train"].images.mean() / 255 == pytest.approx(0.1307, abs=5e-5)
  assert splits["train"].images.std() / 255 == pytest.approx(0.3081, abs=5e-5)


@pytest.mark.slow
def test_cifar10_is_the_published_one(cifar10):
  about = data.info("cifar10", cifar10)
  assert about.counts == {"train": 50000, "test": 10000}
  assert about.classes[0] == "airplane"
  assert data.SHAPES["cifar10"] == (len(about.classes), about.channels)
  source = data.load("cifar10", "train", data_dir=cifar10, validation=0)
  assert np.bincount(source.labels).tolist() == [5000] * 10
  mean, std = channel_statistics(source)
  assert mean.ravel() / 255 == pytest.approx([0.4914, 0.4822, 0.4465], abs=5e-5)
  assert std.ravel() / 255 == pytest.approx([0.2470, 0.2435, 0.2616], abs=5e-5)
  # He et al. 2015, section 4.2: 45k for training, 5k for validation.
  assert len(data.load("cifar10", "validation", data_dir=cifar10).labels) == 5000


def test_a_newer_version_is_preferred_and_an_older_one_can_be_named(tiny_mnist, tmp_path):
  path, _ = prepare("mnist", data_dir=tmp_path, source=tiny_mnist)
  newer = path.with_name("3.0.10")
  newer.symlink_to(path)
  assert prepared.find("mnist", tmp_path) == newer
  assert prepared.find("mnist:3.0.1", tmp_path) == path
  assert prepared.find("mnist:1.0.0", tmp_path) is None
  assert prepared.present(tmp_path) == ("mnist",)
