"""jaxnets: the laboratory for convolutional architecture in JAX.

python launch.py --config=experiments/FILE.py[:ARG] --workdir=DIR [--config.net.depth=56 ...]
python launch.py VERB ...
python launch.py VERB --help
"""

import importlib
import os
import re
import sys
import traceback
from pathlib import Path

from absl import flags

from jaxnets import __version__
from jaxnets.cli import configs, subjects
from jaxnets.errors import ConfigError, JaxnetsError, did_you_mean

# The module of the same name in this folder: define(values) adds flags, run(values, arguments)
# does the work and returns the exit code.
VERBS = {
  "train": "train one network (also without a verb); the same command again resumes",
  "eval": "evaluate a run's newest checkpoint",
  "sweep": "train every cell of a sweep; the same command again does what is missing",
  "ablate": "a sweep from one net to another, axis by axis",
  "status": "how far a sweep is, and what went wrong",
  "compare": "runs beside each other: means over seeds, intervals, differences",
  "board": "error against what it costs: hand-made features, MLPs and ConvNets together",
  "report": "one page with figures and tables of a sweep, to read without a network",
  "list": "nets, data, experiments",
  "show": "a config with where each value comes from, or the axes of a net",
  "cost": "what a net or an experiment costs, before anything is spent",
  "fidelity": "the papers' tables beside what the nets here have",
  "claims": "what is told about these nets, checked",
  "doctor": "what this machine has and lacks",
  "data": "prepare, describe and verify datasets",
  "classical": "hand-made features and the classifiers that read them",
}
# Modules whose packages have another name.
PACKAGES = {"absl": "absl-py", "ml_collections": "ml-collections", "PIL": "pillow",
            "orbax": "orbax-checkpoint", "tensorflow_datasets": "tensorflow-datasets"}  # fmt: skip
EXIT_CODES = """0 done, 1 unexpected, 2 usage or config, 3 data or extra missing, 4 diverged,
            5 cells of a sweep failed, 75 stopped and resumable, 130 interrupted"""


def main(argv: list[str]) -> int:
  """Runs the command line `argv`, program name first; returns the exit code."""
  debug = any(a.lstrip("-") in ("debug", "debug=true") for a in argv if a.startswith("-"))
  try:
    return dispatch(argv)
  except JaxnetsError as error:
    return _report(error, error.exit_code, debug)
  except flags.Error as error:
    return _report(_flag_error(str(error)), ConfigError.exit_code, debug)
  except ModuleNotFoundError as error:
    package = PACKAGES.get(error.name or "", error.name)
    return _report(f"{package} is not installed\npip install {package}", 3, debug)
  except BrokenPipeError:  # the reader of our output has seen enough
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0
  except KeyboardInterrupt:
    return _report("interrupted\nThe same command again goes on from what is done", 130, debug)
  except Exception as error:
    if debug:
      traceback.print_exception(error)
    text = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    return _report(f"{text}\nUnexpected; the same command with --debug shows where", 1, debug)


def dispatch(argv: list[str]) -> int:
  """Finds the verb, reads its flags, runs it."""
  program, *words = argv
  if not words or words[0] in ("help", "--help", "-help", "-h", "--helpfull"):
    print(usage())
    return 0
  if words[0] == "--version":
    print(f"jaxnets {__version__}")
    return 0
  verb, words = split_verb(words)
  module = importlib.import_module(f"jaxnets.cli.{verb}")
  values = flags.FlagValues()
  define_common(values)
  module.define(values)
  words = values.read_flags_from_files(words, force_gnu=False)
  if any(w in ("--help", "-help", "-h") for w in words):
    print(verb_usage(verb, module, values))
    return 0
  chosen = named = None
  if verb in configs.VERBS:
    words, chosen = configs.choose(values, words)
  if verb in subjects.VERBS:
    words, named = subjects.take(words)
  arguments = values([program, *words])[1:]
  prepare_environment(values)
  if named is not None:
    return module.run(values, named._replace(specs=(*named.specs, *arguments)))
  if verb not in configs.VERBS:
    return module.run(values, arguments)
  if chosen is not None:
    configs.finish(chosen)
  return module.run(values, arguments, chosen)


def split_verb(words: list[str]) -> tuple[str, list[str]]:
  """The verb, which comes first or after flags of the form --flag=value; "train" when none."""
  for i, word in enumerate(words):
    if not word.startswith("-"):
      if word not in VERBS:
        raise ConfigError(
          f'there is no verb "{word}".{did_you_mean(word, VERBS)}\nVerbs: {" ".join(VERBS)}'
        )
      return word, words[:i] + words[i + 1 :]
    if "=" not in word and word.lstrip("-") not in ("debug", "help", "h"):
      break  # what follows is the value of this flag
  return "train", words


def define_common(values: flags.FlagValues) -> None:
  """The flags that every verb takes."""
  place = "where prepared datasets are; else TFDS_DATA_DIR, else ~/tensorflow_datasets"
  flags.DEFINE_string("workdir", None, "run folder", flag_values=values)
  flags.DEFINE_string("data_dir", None, place, flag_values=values)
  flags.DEFINE_enum(
    "platform", None, ["cpu", "gpu", "tpu"], "run there or not at all", flag_values=values
  )
  flags.DEFINE_enum(
    "kernels", None, ["auto", "onednn", "plain", "definition"],
    "of the nets on a CPU: C++ on oneDNN, or JAX only; else JAXNETS_KERNELS, else auto",
    flag_values=values,
  )  # fmt: skip
  flags.DEFINE_integer(
    "threads", None, "of a CPU; else OMP_NUM_THREADS for the kernels, else all cores",
    lower_bound=1, flag_values=values,
  )  # fmt: skip
  flags.DEFINE_enum(
    "format", "text", ["text", "json", "csv", "md"], "of the output", flag_values=values
  )
  flags.DEFINE_bool("debug", False, "show where an error came from", flag_values=values)


def prepare_environment(values: flags.FlagValues) -> None:
  """Settings that JAX reads when it is imported, which is later."""
  platform = values.platform
  if platform:
    os.environ["JAX_PLATFORMS"] = "cuda" if platform == "gpu" else platform
  if values.kernels:
    os.environ["JAXNETS_KERNELS"] = values.kernels
  if values.threads:
    os.environ["OMP_NUM_THREADS"] = str(values.threads)
    os.environ["NPROC"] = str(values.threads)  # XLA's name for it
  cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "jaxnets" / "xla"
  os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(cache))


def usage() -> str:
  """The help of the program."""
  verbs = "\n".join(f"  {verb:10}{text}" for verb, text in VERBS.items())
  return f"{(__doc__ or '').strip()}\n\nVerbs:\n{verbs}\n\nExit codes: {EXIT_CODES}"


def verb_usage(verb: str, module, values: flags.FlagValues) -> str:
  """The help of a verb: its docstring and its flags."""
  lines = [module.__doc__.strip(), "", "Flags:"]
  own = {n: f for n, f in values.flag_values_dict().items() if n not in ("flagfile", "undefok")}
  for name in own:
    flag = values[name]
    lines.append(f"  --{name}: {flag.help}" + (f" ({flag.default})" if flag.default else ""))
  if verb in (*configs.VERBS, *subjects.NAMING):
    lines.append(
      "  --config: experiment file, FILE.py or FILE.py:ARG; --config.SECTION.FIELD=VALUE"
    )
  if verb in subjects.NAMING:
    lines.append("  --net: name of a net; --net.AXIS=VALUE")
  return "\n".join(lines)


def script() -> None:
  """Entry point of the console script."""
  sys.exit(main(["jaxnets", *sys.argv[1:]]))


def _flag_error(text: str) -> str:
  """absl's message in our words."""
  unknown = re.match(r"Unknown command line flag '([\w.]+)'(?:\. Did you mean: (\w+))?", text)
  if unknown:
    hint = f" Did you mean --{unknown[2]}?" if unknown[2] else ""
    return f"there is no flag --{unknown[1]}.{hint}"
  value = re.match(r"flag --config\.([\w.]+)=(.*?): ", text, re.DOTALL)
  if value:
    kind = re.search(r"for int|to float|boolean", text)
    names = {"for int": "int", "to float": "a number", "boolean": "true or false"}
    wanted = names[kind[0]] if kind else "of the type it has"
    return f"{value[1]} (={value[2]}) must be {wanted}"
  return text


def _report(error: Exception | str, code: int, debug: bool) -> int:
  if debug and isinstance(error, Exception):
    traceback.print_exception(error)
  print(f"error: {error}", file=sys.stderr)
  return code
