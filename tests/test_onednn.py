"""Finding and compiling the C++ kernels: what is missing or broken is said, and breaks nothing."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jaxnets import onednn
from jaxnets.onednn import build
from tests.kernels.forms import needs_onednn

ROOT = Path(__file__).parents[1]
USE = (
  "import numpy as np; from jaxnets import kernels;"
  "x, w = np.ones((1, 5, 5, 2), np.float32), np.ones((3, 3, 2, 2), np.float32);"
  "print(kernels.describe(), float(kernels.conv(x, w)[0, 0, 0, 0]))"
)
COUNTING = """#!/bin/sh
# Stands in for a compiler: counts its calls and writes an empty file where -o says.
if [ "$1" = --version ]; then echo counting 1.0; exit 0; fi
echo called >> {calls}
sleep 0.3
while [ "$1" != -o ]; do shift; done
: > "$2"
"""


def run(code: str, **settings: str) -> subprocess.CompletedProcess:
  environment = os.environ | {"PYTHONPATH": str(ROOT), "JAXNETS_KERNELS": "auto"} | settings
  return subprocess.run(
    [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
  )


def doctor(**settings: str) -> str:
  code = "from jaxnets.cli import main; main(['launch.py', 'doctor', '--format=csv'])"
  (line,) = [x for x in run(code, **settings).stdout.splitlines() if x.startswith("CPU kernels")]
  return line


@pytest.fixture
def cache(tmp_path, monkeypatch):
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
  return tmp_path / "jaxnets" / "kernels"


@pytest.fixture
def parts():
  try:
    return onednn.find()
  except onednn.UnavailableError as error:
    pytest.skip(f"no C++ kernels here: {error}")


def test_switched_off_everything_runs_and_doctor_says_so():
  assert run(USE, JAXNETS_KERNELS="plain").stdout == "plain 18.0\n"
  assert "plain: switched off" in doctor(JAXNETS_KERNELS="plain")


def test_without_a_compiler_everything_runs_and_doctor_says_why(parts):
  assert run(USE, CXX="no-such-compiler").stdout == "plain 18.0\n"
  assert "no C++ compiler; install g++" in doctor(CXX="no-such-compiler")


def test_a_compiler_that_fails_breaks_nothing_and_is_not_tried_again(parts, cache, tmp_path):
  compiler = tmp_path / "failing"
  compiler.write_text("#!/bin/sh\necho 'error: it is Monday' >&2\nexit 1\n")
  compiler.chmod(0o755)
  assert run(USE, CXX=str(compiler)).stdout == "plain 18.0\n"
  (complaint,) = cache.rglob("failure.txt")
  assert "it is Monday" in complaint.read_text()
  said = doctor(CXX=str(compiler))
  assert "could not be compiled" in said
  assert str(complaint) in said
  complaint.write_text("as it was")
  assert run(USE, CXX=str(compiler)).stdout == "plain 18.0\n"
  assert complaint.read_text() == "as it was"


def test_a_library_that_does_not_load_breaks_nothing(parts, cache, tmp_path):
  compiler = tmp_path / "counting"
  compiler.write_text(COUNTING.format(calls=tmp_path / "calls"))
  compiler.chmod(0o755)
  done = run(USE, CXX=str(compiler))
  assert done.stdout == "plain 18.0\n", done.stderr
  assert "were compiled but do not load" in done.stderr
  said = doctor(CXX=str(compiler))
  assert ",absent," in said
  assert "kernels.so" in said


def test_a_compiler_that_is_killed_is_tried_again(parts, cache, tmp_path):
  compiler = tmp_path / "dying"
  compiler.write_text('#!/bin/sh\n[ "$1" = --version ] || kill -9 $$\n')
  compiler.chmod(0o755)
  assert run(USE, CXX=str(compiler)).stdout == "plain 18.0\n"
  assert not list(cache.rglob("failure.txt"))
  assert not list(cache.rglob("*.so"))


def test_a_compiler_that_is_none_is_a_reason(parts, tmp_path):
  compiler = tmp_path / "text"
  compiler.write_text("no program")
  compiler.chmod(0o755)
  assert run(USE, CXX=str(compiler)).stdout == "plain 18.0\n"
  assert "does not answer" in doctor(CXX=str(compiler))


@needs_onednn
def test_kept_kernels_need_no_folder_that_can_be_written(monkeypatch):
  monkeypatch.setattr(build, "_locked", None)
  assert onednn.obtain().path.exists()


def test_kernels_that_are_demanded_and_cannot_be_had_are_an_error(parts, tmp_path):
  code = (
    "import sys; from jaxnets.cli import main;"
    "sys.exit(main(['launch.py', '--config=experiments/quickstart.py', "
    f"'--workdir={tmp_path}', '--kernels=onednn']))"
  )
  done = run(code, CXX="no-such-compiler")
  assert done.returncode == 2
  assert "error: no onednn kernels: no C++ compiler; install g++" in done.stderr


def test_another_wish_is_an_error():
  done = run(USE, JAXNETS_KERNELS="fast")
  assert "JAXNETS_KERNELS (='fast') must be one of auto, onednn, plain, definition" in done.stderr


def test_without_onednn_the_extra_is_named(monkeypatch, tmp_path):
  monkeypatch.setattr(build, "PREFIXES", (tmp_path,))
  with pytest.raises(onednn.UnavailableError, match=r'no oneDNN; pip install "jaxnets\[cpu\]"'):
    onednn.find()


@pytest.mark.parametrize(("system", "machine"), [("darwin", "arm64"), ("linux", "aarch64")])
def test_on_other_machines_they_are_not_tried(monkeypatch, system, machine):
  monkeypatch.setattr(build.sys, "platform", system)
  monkeypatch.setattr(build.platform, "machine", lambda: machine)
  with pytest.raises(onednn.UnavailableError, match=f"not {system} on {machine}"):
    onednn.find()


def test_a_folder_that_cannot_be_written_is_a_reason(parts, monkeypatch, tmp_path):
  (tmp_path / "file").write_text("")
  monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
  with pytest.raises(onednn.UnavailableError, match="no place to keep them"):
    onednn.obtain()


def test_processes_that_start_together_compile_once(parts, cache, tmp_path):
  compiler = tmp_path / "counting"
  compiler.write_text(COUNTING.format(calls=tmp_path / "calls"))
  compiler.chmod(0o755)
  code = "from jaxnets import onednn; print(onednn.obtain().path)"
  with ThreadPoolExecutor(3) as pool:
    done = list(pool.map(lambda _: run(code, CXX=str(compiler)), range(3)))
  assert len({d.stdout for d in done}) == 1, done[0].stderr
  assert (tmp_path / "calls").read_text() == "called\n"


def test_importing_compiles_nothing(cache):
  assert run("import jaxnets.kernels, jaxnets.nets, jaxnets.cli").returncode == 0
  assert not cache.exists()


def test_every_source_part_and_flag_is_in_the_name_of_what_is_kept(parts, monkeypatch):
  here = onednn.kept(parts)
  assert onednn.kept(parts._replace(dnnl_version="9.9.9")) != here
  assert onednn.kept(parts._replace(jaxlib_version="9.9.9")) != here
  assert onednn.kept(parts._replace(compiler_version="g++ 99")) != here
  monkeypatch.setattr(build, "_processor", lambda: "another")
  assert onednn.kept(parts) != here


@needs_onednn
def test_numbers_of_double_precision_may_be_on():
  assert run(USE, JAX_ENABLE_X64="1").stdout.startswith("onednn ")


def test_the_definitions_have_derivatives_of_any_order():
  code = (
    "import jax, numpy as np; from jaxnets import kernels;"
    "x, w = np.ones((1, 3, 3, 1), np.float32), np.ones((3, 3, 1, 1), np.float32);"
    "f = lambda w: (kernels.conv(x, w) ** 2).sum();"
    "print(kernels.describe(), jax.hessian(f)(w).sum(), jax.jvp(f, (w,), (w,))[1])"
  )
  assert run(code, JAXNETS_KERNELS="definition").stdout == "definition 162.0 162.0\n"


@needs_onednn
def test_what_is_compiled_here_names_its_version():
  assert run(USE).stdout.startswith("onednn ")
