"""Clip-Tuning: BBT whose candidates are judged by several fixed sub-networks of the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from pydantic import Field

from backends.base import BackendRefused, HasSubnetworks, Query, Subnetwork
from backends.registry import Capability
from jobs.answering import Scorer, Scores
from jobs.meter import Meter
from jobs.methods.base import Plan, Problem
from jobs.methods.bbt import BBT
from jobs.methods.cma import CMAMethod
from jobs.objective import Objective, Rows, Scored, Writer
from jobs.prompts import Prompt
from jobs.search import Search, Searching

Aggregate: TypeAlias = Literal["losses", "probabilities"]
Networks: TypeAlias = tuple[Subnetwork | None, ...]  # the first is the whole model: None

MOST_CRITICS = 32


class ClipTuning(CMAMethod):
    """CMA-ES over z as in BBT; the loss of a row is a mean over K networks (arXiv:2210.12050).

    The first network is the whole model, and each other one is the model without some units of
    what its attentions and feed-forwards add, the same ones in the whole job (see `Subnetwork`).
    They judge the train rows: dev, test and whoever uses the prompt ask the whole model.

    The first values of `n_critics`, `dropout` and `aggregate` are our own: the paper's were not
    found.
    Unlike the paper, the incumbent is picked as BBT's here: by dev loss, among the champions.
    """

    title: ClassVar = "Clip-Tuning: BBT with several critics"
    summary: ClassVar = "BBT that asks the model and fixed thinned copies of it for every loss."
    citation: ClassVar = "Chai et al. 2022, arXiv:2210.12050"
    needs: ClassVar = BBT.needs | {Capability.SUBNETWORKS}
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {**BBT.presets["fast"], "n_critics": 2},
        "paper": {},
    }

    name: Literal["clip-tuning"] = "clip-tuning"
    preset: Literal["paper", "fast"] = Field(
        "paper", description="starting values of all settings: as BBT's paper, or quicker ones"
    )
    n_critics: int = Field(
        5,
        ge=1,
        le=MOST_CRITICS,
        description="networks that judge a candidate on each train row, a query each: the whole "
        "model, and the others thinned",
    )
    dropout: float = Field(
        0.1, gt=0, le=0.9, description="chance of a unit to be left out of a thinned network"
    )
    aggregate: Aggregate = Field(
        "losses", description="what is averaged over the networks: losses, or label probabilities"
    )

    def needs_labels(self) -> bool:
        """A text of the model's own has no probabilities that could be averaged."""
        return self.aggregate == "probabilities"

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        return super().generation_queries(self.n_critics * n_train, n_dev)

    def plan(self, problem: Problem) -> Plan:
        """As BBT's.

        Raises:
            BackendRefused: the model's layers are not among those that can be thinned.
        """
        assert isinstance(problem.backend, HasSubnetworks)  # `needs` has already been checked
        if not problem.backend.has_subnetworks:
            raise BackendRefused("this endpoint's model has no sub-networks: method 'bbt' has none")
        shared = CMAMethod.model_fields.keys() - {"preset"}
        return BBT(**self.model_dump(include=shared)).plan(problem)

    def search(self, problem: Problem, meter: Meter) -> Searching:
        """As of every method, with several critics of the train rows."""
        plan, task, split = self.plan(problem), problem.task, problem.split
        networks = self.networks(problem.seed)
        train = Critics(task, meter, split.train, plan.loss, plan.told, networks, self.aggregate)
        dev = Objective(task, meter, split.dev, plan.loss)
        return Search(plan.optimizer, plan.space, train, dev, meter, problem.seed, plan.writing)

    def networks(self, seed: int) -> Networks:
        """The whole model, and thinned ones of their own for every seed of a job."""
        seeds = range(seed * MOST_CRITICS + 1, seed * MOST_CRITICS + self.n_critics)
        return (None, *(Subnetwork(each, self.dropout) for each in seeds))


@dataclass(frozen=True, eq=False)
class Critics(Objective):
    """Losses of prompts on a fixed list of examples, each a mean over several networks.

    What is right and what is answered is told by the first network alone, or with
    "probabilities" by their mean.
    """

    networks: Networks = (None,)
    aggregate: Aggregate = "losses"

    def n_queries(self, rows: Rows) -> int:
        return len(self.networks) * super().n_queries(rows)

    def score(self, asked: Sequence[tuple[Prompt, Rows]]) -> list[Scored]:
        """Each prompt on its rows; one call to the model for each network."""
        ways = [_Through(self.scorer, network) for network in self.networks]
        if self.aggregate == "probabilities":
            return self._by(_Mixture(ways)).score(asked)
        found = [self._by(way).score(asked) for way in ways]
        return [_mean(same) for same in zip(*found, strict=True)]

    def _by(self, scorer: Scorer) -> Objective:
        return Objective(self.task, scorer, self.examples, self.loss, self.told)


@dataclass(frozen=True, eq=False)
class _Through:
    """A scorer of one network."""

    scorer: Scorer
    network: Subnetwork | None

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> Scores:
        return self.scorer.score(self._shown(queries), labels)

    def generate(self, queries: Sequence[Query], *, max_tokens: int) -> list[str]:
        assert isinstance(self.scorer, Writer)  # the job was admitted for it
        return self.scorer.generate(self._shown(queries), max_tokens=max_tokens)

    def _shown(self, queries: Sequence[Query]) -> list[Query]:
        return [replace(query, subnetwork=self.network) for query in queries]


@dataclass(frozen=True, eq=False)
class _Mixture:
    """A scorer by the mean of what others give the labels, as probabilities."""

    scorers: Sequence[Scorer]

    def score(self, queries: Sequence[Query], labels: Sequence[str]) -> Scores:
        """The mean's logarithms, shape (n_queries, n_labels)."""
        found = np.stack([scorer.score(queries, labels) for scorer in self.scorers])
        logs = found - _log_sums(found, axis=-1)
        return np.asarray(_log_sums(logs, axis=0)[0] - np.log(len(found)))


def _log_sums(logs: Scores, axis: int) -> Scores:
    """The logarithm of a sum of what these are logarithms of; `axis` keeps its place."""
    top = logs.max(axis=axis, keepdims=True)
    return np.asarray(top + np.log(np.exp(logs - top).sum(axis=axis, keepdims=True)))


def _mean(scored: Sequence[Scored]) -> Scored:
    losses, told = ([getattr(one, name) for one in scored] for name in ("losses", "told"))
    return replace(scored[0], losses=np.mean(losses, axis=0), told=np.mean(told, axis=0))
