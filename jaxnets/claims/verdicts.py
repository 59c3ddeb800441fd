"""The verdicts on the claims that were run in a folder. No JAX here."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxnets.claims import ledger
from jaxnets.claims.judge import Tried, Verdict, judge, weigh
from jaxnets.claims.study import Beyond, Size, Study, Trial
from jaxnets.claims.trained import CLAIMS

log = logging.getLogger("jaxnets")


class Judged(NamedTuple):
  """What the runs of a folder say at a size."""

  verdicts: dict[str, Verdict]  # by claim
  runs: dict[str, Mapping[str, Tried]]  # by claim and arm; none of trials


def read(workdir: Path, size: Size, seeds: Sequence[int] | None = None) -> Judged:
  """The verdicts of a size, of some seeds only when given.

  Raises:
    ConfigError: the folder holds no claims of this size.
  """
  judged = Judged({}, {})
  known, trials = ledger.read(workdir, size), ledger.read_trials(workdir, size)
  for name, claim in CLAIMS.items():
    study = claim.study(size)
    judged.runs[name] = {}
    if isinstance(study, Trial) and name in trials:
      judged.verdicts[name] = weigh(study.contrasts, ledger.of_seeds(trials[name], seeds))
    elif isinstance(study, Beyond) and name in known:
      judged.verdicts[name] = weigh((), {})
    elif isinstance(study, Study) and name in known:
      judged.runs[name] = ledger.runs_of(workdir, known[name], seeds)
      tried = {arm: len(some) for arm, some in judged.runs[name].items()}
      if tried == {arm: len(own.tried) for arm, own in study.arms.items()}:
        judged.verdicts[name] = judge(study.contrasts, judged.runs[name], study.tuned_by)
      else:
        log.warning("%s has other arms by now: run it again", name)
  return judged
