"""The sections about methods: side by side, seed by seed, step by step, and for size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import mean, median

import numpy as np

from bench import measures
from bench.made import COMPONENTS, mixture
from bench.measures import Cost, measured
from bench.methods import SEEDED, Method, Step, evoc, find_in_steps
from bench.sets import LabelledSet
from bench.table import NOT_THERE, markdown, ratios, section, spread
from corpuscope.tools.core.schema import Ints

HEAD = [
    "method",
    "seconds",
    "memory added, MB",
    "peak, MB",
    "clusters",
    "coverage",
    "AMI",
    "ARI, noise apart",
]
# What is set against what: corpuscope with and without its map, and its peers.
RATIOS = {
    "corpuscope / EVoC": ("ours", "evoc"),
    "corpuscope / BERTopic": ("ours", "bertopic"),
    "corpuscope with its map / BERTopic": ("ours+map", "bertopic"),
}


@dataclass(frozen=True)
class Outcome:
    """One method on one set, once; `ami` and `ari` are None where the set has no labels."""

    cost: Cost
    clusters: int
    coverage: float
    ami: float | None
    ari: float | None


def outcome(data: LabelledSet, labels: Ints, cost: Cost) -> Outcome:
    """What the labels are worth beside the true ones."""
    return Outcome(
        cost,
        measures.clusters(labels),
        measures.coverage(labels),
        None if data.labels is None else measures.ami(data.labels, labels),
        None if data.labels is None else measures.ari_noise_apart(data.labels, labels),
    )


def compared(data: LabelledSet, methods: Mapping[str, Method], rounds: int) -> str:
    """The methods on one set, in turns; each round begins with another of them."""
    outcomes: dict[str, list[Outcome]] = {key: [] for key in methods}
    order = list(methods)
    for number in range(rounds):
        for key in order[number % len(order) :] + order[: number % len(order)]:
            labels, cost = measured(partial(methods[key].run, data.texts, data.vectors, number))
            outcomes[key].append(outcome(data, labels, cost))
            print(f"{data.name}, round {number + 1}, {key}: {outcomes[key][-1]}", flush=True)
    rows = [row(methods[key].name, of_method) for key, of_method in outcomes.items()]
    seconds = {
        key: median(result.cost.seconds for result in of_method)
        for key, of_method in outcomes.items()
    }
    pairs = {
        name: (seconds[mine], seconds[theirs])
        for name, (mine, theirs) in RATIOS.items()
        if mine in seconds and theirs in seconds
    }
    known = "no labels" if data.labels is None else f"{len(np.unique(data.labels))} labels"
    title = f"{data.name}: {len(data.texts):,} texts, {known}, rounds: {rounds}"
    return section(title, markdown(HEAD, rows), *([ratios(pairs, data.name)] if pairs else []))


def row(name: str, outcomes: Sequence[Outcome]) -> list[str]:
    """A method's row: the medians of its rounds."""
    amis = [result.ami for result in outcomes if result.ami is not None]
    aris = [result.ari for result in outcomes if result.ari is not None]
    return [
        name,
        spread([result.cost.seconds for result in outcomes]),
        f"{median(result.cost.added for result in outcomes):,.0f}",
        f"{median(result.cost.peak for result in outcomes):,.0f}",
        f"{median(result.clusters for result in outcomes):.0f}",
        f"{median(result.coverage for result in outcomes):.2f}",
        f"{median(amis):.3f}" if amis else NOT_THERE,
        f"{median(aris):.3f}" if aris else NOT_THERE,
    ]


def steadiness(data: LabelledSet, methods: Sequence[str], seeds: int) -> str:
    """How far the labels depend on the seed: those methods that take one, on a set with labels."""
    assert data.labels is not None
    rows = []
    for key in methods:
        labellings = []
        for seed in range(seeds):
            labellings.append(SEEDED[key].run(data.texts, data.vectors, seed))
            print(f"{data.name}, seed {seed}, {key}", flush=True)
        amis = [measures.ami(data.labels, labels) for labels in labellings]
        alike = measures.pairwise_ami(labellings)
        counts = [measures.clusters(labels) for labels in labellings]
        rows.append(
            [
                SEEDED[key].name,
                *(f"{value:.3f}" for value in (mean(alike), min(alike))),
                *(f"{value:.3f}" for value in (mean(amis), min(amis), max(amis))),
                f"{min(counts)} to {max(counts)}",
            ]
        )
    head = ["method", "pairwise AMI, mean", "least", "AMI with labels, mean", "least", "most"]
    title = f"{data.name}: steadiness over {seeds} seeds"
    return section(title, markdown([*head, "clusters"], rows))


def in_steps(data: LabelledSet, rounds: int) -> str:
    """What each step of corpuscope takes."""
    runs: list[list[Step]] = []
    for number in range(rounds):
        _result, steps = find_in_steps(data.texts, data.vectors, 0, words=True)
        runs.append(steps)
        print(f"{data.name}, round {number + 1}, steps", flush=True)
    return section(f"{data.name}: the steps of corpuscope", step_table(runs))


def step_table(runs: Sequence[Sequence[Step]]) -> str:
    """A row per step, the medians of several runs of the same steps."""
    rows = [
        [
            same[0].name,
            spread([step.cost.seconds for step in same], digits=2),
            f"{median(step.cost.added for step in same):,.0f}",
            f"{median(step.cost.peak for step in same):,.0f}",
        ]
        for same in zip(*runs, strict=True)
    ]
    return markdown(["step", "seconds", "memory added, MB", "peak, MB"], rows)


def million(rows: int) -> str:
    """Made vectors in number: corpuscope step by step, and EVoC."""
    data, cost = measured(lambda: mixture(rows))
    print(f"made {rows:,} vectors: {cost}", flush=True)
    result, steps = find_in_steps(data.texts, data.vectors, 0, words=False)
    *clustering, drawing = steps
    before = steps[0].cost.peak - steps[0].cost.added
    labels, parts = result.labels, len(result.corpus.texts)
    del result  # a tool that runs alone would not have it in memory
    costs = [_summed(clustering, before), _summed(steps, before)]
    table = [
        row(name, [outcome(data, labels, total)])
        for name, total in zip(("corpuscope", "corpuscope with its map"), costs, strict=True)
    ]
    print(f"corpuscope: {costs}; the map {drawing.cost}", flush=True)
    theirs, cost = measured(lambda: evoc(data.texts, data.vectors, 0))
    table.append(row("EVoC", [outcome(data, theirs, cost)]))
    pairs = {"corpuscope / EVoC": (costs[0].seconds, cost.seconds)}
    what = (
        f"A mixture of {COMPONENTS} Gaussians of sizes 1 to 10, a tenth of noise, a twentieth of "
        f"exact copies: {parts:,} distinct. The texts and vectors themselves are in the peak, "
        "and not in what is added.\n"
    )
    title = f"made: {rows:,} vectors of {data.vectors.shape[1]} dimensions"
    parts_of_it = [markdown(HEAD, table), ratios(pairs, "made"), step_table([steps])]
    return section(title, what, *parts_of_it)


def _summed(steps: Sequence[Step], before: float) -> Cost:
    """The cost of steps after one another, of which the first found `before` MB in memory."""
    peak = max(step.cost.peak for step in steps)
    return Cost(sum(step.cost.seconds for step in steps), peak - before, peak)
