"""The published formats, in miniature: six CIFAR batches of two images, tars of a few JPEGs."""

import hashlib
import io
import os
import pickle
import struct
import tarfile

import numpy as np
import pytest
from PIL import Image

from jaxnets import data
from jaxnets.data import archives, builders, originals
from jaxnets.data.prepare import prepare
from jaxnets.errors import DataError


def pickled_by_python_2(pixels, **columns):
  """The bytes that Python 2 and numpy 1 write for {"data": uint8 [n, m], name: [labels]}."""
  n, m = pixels.shape
  raw = pixels.tobytes()
  out = b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b"
  out += b"\x87R(K\x01" + b"".join(b"J" + struct.pack("<i", size) for size in (n, m)) + b"\x86"
  out += b"cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xff"
  out += b"K\x00tb\x89T" + struct.pack("<i", len(raw)) + raw + b"tb"
  for name, values in columns.items():
    items = b"".join(b"K" + bytes([v]) for v in values)
    out += b"U" + bytes([len(name)]) + name.encode() + b"](" + items + b"e"
  return out + b"u."


def tar(path, files, mode="w:gz"):
  with tarfile.open(path, mode) as out:
    for name, content in files.items():
      member = tarfile.TarInfo(name)
      member.size = len(content)
      out.addfile(member, io.BytesIO(content))
  return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def tiny_cifar10(monkeypatch):
  """(binary files, pickled files) of the same twelve images, which pass for the published ones."""
  rng = np.random.default_rng(3)
  binary, pickled, sums = {}, {}, {}
  for file in archives.CIFAR10_BIN:
    pixels, labels = rng.integers(0, 256, (2, 3072), np.uint8), rng.integers(0, 10, 2).tolist()
    binary[file] = b"".join(bytes([k]) + p.tobytes() for k, p in zip(labels, pixels, strict=True))
    stem = file.removesuffix(".bin")
    pickled[stem] = pickled_by_python_2(pixels, labels=labels)
    sums[stem] = hashlib.md5(pickled[stem]).hexdigest()
    monkeypatch.setitem(archives.CIFAR10_BIN, file, hashlib.sha256(binary[file]).hexdigest())
  monkeypatch.setattr(archives, "_CIFAR10_PY", sums)
  return binary, pickled


def lay(folder, files):
  folder.mkdir(parents=True)
  for name, content in files.items():
    (folder / name).write_bytes(content)


def test_every_form_of_cifar10_gives_the_same_images(tiny_cifar10, tmp_path, monkeypatch):
  binary, pickled = tiny_cifar10
  lay(tmp_path / "bin/cifar-10-batches-bin", binary)
  lay(tmp_path / "py/cifar-10-batches-py", pickled)
  for form in ("tar", "pytar"):
    (tmp_path / form).mkdir()
  digest = tar(
    tmp_path / "tar/cifar-10-binary.tar.gz",
    {f"cifar-10-batches-bin/{name}": content for name, content in binary.items()},
  )
  published = originals.ARCHIVES["cifar10"][0]._replace(sha256=digest)
  monkeypatch.setitem(originals.ARCHIVES, "cifar10", (published,))
  tar(
    tmp_path / "pytar/cifar-10-python.tar.gz",
    {f"cifar-10-batches-py/{name}": content for name, content in pickled.items()},
  )
  sets = [archives.cifar10(tmp_path / form) for form in ("bin", "py", "tar", "pytar")]
  first = sets[0].splits["train"]
  assert first.images.shape == (10, 32, 32, 3)
  # Byte 1 of a row is the red of the first pixel, byte 1 + 1024 its green.
  assert first.images[0, 0, 0, 1] == binary["data_batch_1.bin"][1 + 1024]
  for other in sets[1:]:
    for split, part in sets[0].splits.items():
      assert np.array_equal(part.images, other.splits[split].images)
      assert np.array_equal(part.labels["label"], other.splits[split].labels["label"])


def test_a_changed_cifar10_batch_is_named(tiny_cifar10, tmp_path):
  binary, _ = tiny_cifar10
  binary["data_batch_3.bin"] = binary["data_batch_3.bin"][:-1]
  lay(tmp_path / "cifar-10-batches-bin", binary)
  with pytest.raises(DataError, match=r"data_batch_3.bin: the checksum is \w{64}, wanted \w{64}"):
    prepare("cifar10", data_dir=tmp_path / "data", source=tmp_path)
  assert not (tmp_path / "data" / "cifar10").exists()


def test_pickles_that_ask_for_code_are_refused(tiny_cifar10, tmp_path, monkeypatch):
  class Evil:
    def __reduce__(self):
      return os.system, (f"touch {tmp_path / 'owned'}",)

  evil = pickle.dumps(Evil(), protocol=2)
  with pytest.raises(DataError, match="refused to unpickle"):
    archives.unpickle(evil, "batch")
  _, pickled = tiny_cifar10
  lay(tmp_path / "cifar-10-batches-py", pickled | {"test_batch": evil})
  with pytest.raises(DataError, match="test_batch: the checksum is"):
    archives.cifar10(tmp_path)
  # Not even one that has the right checksum.
  sums = archives._CIFAR10_PY | {"test_batch": hashlib.md5(evil).hexdigest()}
  monkeypatch.setattr(archives, "_CIFAR10_PY", sums)
  with pytest.raises(DataError, match="refused to unpickle"):
    archives.cifar10(tmp_path)
  assert not (tmp_path / "owned").exists()


def test_cifar100_has_fine_labels_and_their_names(tmp_path, monkeypatch):
  monkeypatch.setattr(archives, "_CIFAR100_EACH", {"train": 2, "test": 1})
  rng = np.random.default_rng(4)
  files = {
    "coarse_label_names.txt": "\n".join(f"group{i}" for i in range(20)).encode(),
    "fine_label_names.txt": "\n".join(f"kind{i}" for i in range(100)).encode(),
  }
  for split, each in (("train", 2), ("test", 1)):
    rows = [
      bytes([fine // 5, fine]) + rng.integers(0, 256, 3072, np.uint8).tobytes()
      for fine in list(range(100)) * each
    ]
    files[f"{split}.bin"] = b"".join(rows)
  lay(tmp_path / "cifar-100-binary", files)
  prepare("cifar100", data_dir=tmp_path / "data", source=tmp_path)
  about = data.info("cifar100", tmp_path / "data")
  assert about.classes == tuple(f"kind{i}" for i in range(100))
  source = data.load("cifar100", "test", data_dir=tmp_path / "data")
  assert sorted(source.labels) == list(range(100))
  (tmp_path / "cifar-100-binary" / "test.bin").write_bytes(files["test.bin"][3074:])
  with pytest.raises(DataError, match="has not 1 images of each class"):
    archives.cifar100(tmp_path)


def encoded(colour, mode="RGB"):
  buffer = io.BytesIO()
  Image.new("RGB", (40, 30), colour).convert(mode).save(buffer, "JPEG", quality=95)
  return buffer.getvalue()


def test_imagenet_is_prepared_from_its_tars(tmp_path, monkeypatch):
  folder = tmp_path / "published"
  folder.mkdir()
  # n01739381_1309 is one of the CMYK files that TFDS turns into RGB.
  classes = {
    "n01440764": {"n01440764_1.JPEG": encoded((200, 0, 0))},
    "n01739381": {"n01739381_1309.JPEG": encoded((0, 200, 0), "CMYK")},
  }
  inner = {}
  for name, files in classes.items():
    tar(tmp_path / f"{name}.tar", files, "w")
    inner[f"{name}.tar"] = (tmp_path / f"{name}.tar").read_bytes()
  validation = {f"ILSVRC2012_val_0000000{i}.JPEG": encoded((0, 0, 80 * i)) for i in (3, 1, 2)}
  digests = (
    tar(folder / "ILSVRC2012_img_train.tar", inner, "w"),
    tar(folder / "ILSVRC2012_img_val.tar", validation, "w"),
  )
  published = zip(originals.ARCHIVES["imagenet2012"], digests, strict=True)
  here = tuple(a._replace(sha256=digest) for a, digest in published)
  monkeypatch.setitem(originals.ARCHIVES, "imagenet2012", here)
  labels = tmp_path / "labels.txt"
  labels.write_text("n01440764\nn01739381\nn01440764\n")
  monkeypatch.setattr(builders, "_IMAGENET_LABELS", str(labels))
  monkeypatch.setattr(builders, "_IMAGENET_COUNTS", {"train": 2, "validation": 3})

  prepare("imagenet2012", data_dir=tmp_path / "data", source=folder)
  about = data.info("imagenet2012", tmp_path / "data")
  assert (about.test_split, about.image_size, about.in_memory) == ("validation", 224, False)
  assert len(about.classes) == 1000
  test = data.load("imagenet2012", "test", data_dir=tmp_path / "data")
  wnid = [about.classes[label] for label in test.labels]
  got = {test.records(i)[0]: wnid[i] for i in range(3)}
  assert got[validation["ILSVRC2012_val_00000002.JPEG"]] == "n01739381"
  assert got[validation["ILSVRC2012_val_00000003.JPEG"]] == "n01440764"
  train = data.load("imagenet2012", "train", data_dir=tmp_path / "data", validation=0)
  images = [Image.open(io.BytesIO(train.records(i)[0])) for i in range(2)]
  assert {image.mode for image in images} == {"RGB"}
  assert max(image.getpixel((5, 5))[1] for image in images) > 150
