import json

import pytest
from absl import flags

from jaxnets.cli import data as verb
from jaxnets.errors import ConfigError, DataError


def run(*words):
  """`data WORDS` with the flags that all verbs share."""
  values = flags.FlagValues()
  flags.DEFINE_string("data_dir", None, "", flag_values=values)
  flags.DEFINE_string("format", "text", "", flag_values=values)
  verb.define(values)
  return verb.run(values, values(["launch.py", *words])[1:])


def test_prepare_info_and_verify_print_their_results(tiny_mnist, tmp_path, capsys):
  where = f"--data_dir={tmp_path / 'data'}"
  for wanted in ("mnist: prepared, ", "mnist: already there, "):
    assert run("prepare", "mnist", f"--from={tiny_mnist}", where) == 0
    assert capsys.readouterr().out.startswith(wanted)
  assert run("info", "mnist", where, "--format=json") == 0
  (facts,) = json.loads(capsys.readouterr().out)
  assert facts["images"] == {"train": 50, "test": 20}
  assert facts["path"] == str(tmp_path / "data" / "mnist" / "3.0.1")
  assert facts["bytes"] > 10000
  assert run("info", "mnist", where) == 0
  assert "train 50, test 20" in capsys.readouterr().out
  assert run("verify", "mnist", where, "--format=csv") == 0
  assert capsys.readouterr().out.splitlines()[1:] == ["mnist,train,50,whole", "mnist,test,20,whole"]


@pytest.mark.parametrize(
  ("words", "message"),
  [
    ((), "data wants one of prepare, info, verify"),
    (("prepar", "mnist"), 'Did you mean "prepare"'),
    (("info",), "wants one NAME, got 0"),
    (("info", "a", "b"), "wants one NAME, got 2"),
    (("info", "digits", "--from=x"), "--from is for data prepare only"),
  ],
)
def test_wrong_commands_are_refused(words, message):
  with pytest.raises(ConfigError, match=message):
    run(*words)


def test_an_unprepared_set_ends_with_a_data_error(tmp_path):
  with pytest.raises(DataError, match="is not prepared"):
    run("info", "mnist", f"--data_dir={tmp_path}")
