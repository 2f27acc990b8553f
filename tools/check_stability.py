"""The tool `check-stability`: which clusters of a run come back when it is done again."""

from typing import Annotated

from pydantic import Field

from corpuscope.tools.archive.origins import original_run
from corpuscope.tools.clustering.pipeline import ClusteringInput, corpus_graph
from corpuscope.tools.clustering.stability import (
    STABILITY_ROUNDS,
    cluster_points,
    format_stability,
    measure_stability,
    stability_meanings,
    stability_word,
)
from corpuscope.tools.core.disk import check_space
from corpuscope.tools.core.errors import NotReady
from corpuscope.tools.core.ids import id_sort_key
from corpuscope.tools.core.schema import Report, Result, Stability, Verbatim, Watch
from corpuscope.tools.runs.assembly import clustering_parameters
from corpuscope.tools.workspace.arguments import DatasetName, LayerIndex, RunId
from corpuscope.tools.workspace.reading import load_run
from corpuscope.tools.workspace.selection import Selection, select
from corpuscope.tools.workspace.workspace import Workspace

MOST_SHOWN = 60
# The shares of the progress: reading, then the neighbours, then the rounds.
READ_SHARE = 0.1
GRAPH_SHARE = 0.4

SCORE_BYTES = 100
"""What a cluster's score takes on disk, generously: it is looked for before all is worked out."""


class StabilityLine(Result):
    """One cluster and how surely it comes back."""

    id: Verbatim
    label: str
    """Its title, or its first keywords."""
    size: int
    score: float
    """0 (never came back) to 1 (came back whole every time)."""
    word: str
    """stable, shaky or unstable."""

    def as_text(self) -> str:
        """The cluster in a line."""
        return f"{self.id}: {format_stability(self.score)}: {self.label} ({self.size:,} records)"


class StabilityResult(Result):
    """The clusters of a run, the shakiest first."""

    dataset: Verbatim
    run: Verbatim
    rounds: int
    checked: int
    counts: dict[str, int]
    """Clusters of the layer shown by word: stable, shaky, unstable."""
    clusters: list[StabilityLine]
    """Of the layer shown, then of the others, each the shakiest first, as far as they fit."""
    not_checked: list[Verbatim]
    """Clusters found by drilling down: they have no score of their own."""

    def as_text(self) -> str:
        """Counts, the scores from the lowest up, and what the words mean."""
        if not self.checked:
            return (
                f"Run {self.run} of '{self.dataset}' has too few texts for a part of them to be "
                "clustered again, so its clusters could not be checked."
            )
        counts = ", ".join(f"{count} {word}" for word, count in self.counts.items())
        lines = [
            f"Run {self.run} of '{self.dataset}', clustered again {self.rounds} times on parts of "
            f"the texts: {counts} in the layer shown, which comes first, the shakiest on top:"
        ]
        lines += [line.as_text() for line in self.clusters]
        if self.checked > len(self.clusters):
            lines.append(f"… {self.checked - len(self.clusters)} more, of other layers.")
        if self.not_checked:
            lines.append(f"Not checked (found by drilling down): {', '.join(self.not_checked)}.")
        if meaning := stability_meanings([line.score for line in self.clusters]):
            lines.append(meaning)
        return "\n".join(lines)


def check_stability(
    workspace: Workspace,
    watch: Watch,
    dataset: DatasetName = None,
    run: RunId = None,
    layer: LayerIndex = None,
    rounds: Annotated[
        int, Field(ge=2, le=20, description="How often a part of the texts is clustered again.")
    ] = STABILITY_ROUNDS,
) -> StabilityResult:
    """Check which themes of a run hold: do they come back when 80% of the texts are clustered?

    Gives each cluster a score from 0 to 1, the shakiest first: stable from 0.75, shaky from 0.5,
    below it unstable. Use it before conclusions are drawn from a single theme. Scores are kept
    with the run and shown by `list-clusters` and `describe-cluster`; asked again, they cost
    nothing. Takes about as long as clustering `rounds` times; clusters found by drilling down
    have no score.
    """
    selection = select(workspace, dataset, run, layer)
    selection.check_current()
    known = workspace.runs.stability(selection.run)
    # A run that grew from another one took over the scores of what did not change.
    missing = known and any(
        n.layers and not n.drilled and n.id not in known.scores for n in selection.run.nodes
    )
    if known is None or known.rounds < rounds or missing:
        check_space(workspace.home, SCORE_BYTES * len(selection.run.nodes), "the scores")
        scores = _scores(workspace, selection, rounds, watch.report)
        known = Stability(rounds=rounds, scores=scores)
        workspace.runs.save_stability(selection.run, known)
    return _result(selection, known)


def _scores(
    workspace: Workspace, selection: Selection, rounds: int, report: Report
) -> dict[str, float]:
    run = selection.run
    members = workspace.runs.members(run)
    report(0.01, f"reading '{selection.card.name}'")
    loaded = load_run(workspace, selection.card, run, members)
    corpus = loaded.corpus
    if not corpus.ids:
        raise NotReady(f"The records of run {run.id} are gone. Cluster again.")
    parameters = clustering_parameters(original_run(workspace.runs, run))
    report(READ_SHARE, f"searching neighbours of {len(corpus.texts):,} distinct texts")
    graph = corpus_graph(corpus.vectors, parameters, loaded.memory)
    return measure_stability(
        ClusteringInput(graph, corpus.vectors, corpus.weights),
        parameters,
        cluster_points(run, members, corpus),
        rounds,
        lambda done, message: report(GRAPH_SHARE + (1 - GRAPH_SHARE) * done, message),
    )


def _result(selection: Selection, known: Stability) -> StabilityResult:
    run = selection.run
    checked = [node for node in run.nodes if node.id in known.scores]
    recommended = {node.id for node in selection.standing_in(run.recommended)}
    shakiest = sorted(
        checked,
        key=lambda node: (node.id not in recommended, known.scores[node.id], id_sort_key(node.id)),
    )
    words = [
        stability_word(score) for cluster, score in known.scores.items() if cluster in recommended
    ]
    return StabilityResult(
        dataset=selection.card.name,
        run=run.id,
        rounds=known.rounds,
        checked=len(checked),
        counts={word: words.count(word) for word in ("stable", "shaky", "unstable")},
        clusters=[
            StabilityLine(
                id=node.id,
                label=selection.label(node),
                size=node.size,
                score=known.scores[node.id],
                word=stability_word(known.scores[node.id]),
            )
            for node in shakiest[:MOST_SHOWN]
        ],
        not_checked=sorted(
            (node.id for node in run.nodes if node.id not in known.scores), key=id_sort_key
        ),
    )
