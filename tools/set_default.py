"""The tool `set-default`: which run of a dataset, and which of its layers, all tools use."""

from typing import Annotated, Literal

from pydantic import Field

from corpuscope.tools.archive.defaults import ChosenBy, ChosenLayer, ChosenRun
from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.schema import Result, Verbatim
from corpuscope.tools.workspace.arguments import DatasetName
from corpuscope.tools.workspace.workspace import Workspace

AUTO = "auto"


class DefaultSet(Result):
    """The default run, and what the run that was asked for shows."""

    dataset: Verbatim
    default_run: Verbatim
    why: Verbatim
    run: Verbatim
    """The run whose layer is told."""
    layer: int
    clusters: int
    noise: int
    recommended_layer: int
    """The layer that clustering recommended."""
    reason: Verbatim
    """Why that layer."""

    def as_text(self) -> str:
        """Run, layer, and how to undo what was chosen."""
        undo = [f"set-default(run='{AUTO}')"] if self.why.startswith("chosen") else []
        undo += [f"set-default(layer='{AUTO}')"] if self.layer != self.recommended_layer else []
        how = f" Undo: {', '.join(undo)}." if undo else ""
        return (
            f"'{self.dataset}': the default run is {self.default_run} ({self.why}). "
            f"Run {self.run} shows layer {self.layer}: {self.clusters} clusters, {self.noise:,} "
            f"records in none. {self.reason}{how}"
        )


def set_default(
    workspace: Workspace,
    dataset: DatasetName = None,
    run: Annotated[
        str | None,
        Field(description="The run (r3) to make the default; auto: the newest plain one again."),
    ] = None,
    layer: Annotated[
        int | Literal["auto"] | None,
        Field(description="The layer that the run shows from now on; auto: the recommended one."),
    ] = None,
    by: Annotated[ChosenBy, Field(description="Who chose.")] = "assistant",
) -> DefaultSet:
    """Choose the run, or its layer (coarser or finer themes), that all tools use from now on.

    Use it when the person prefers another number of themes, or an earlier run. Nothing is computed
    anew or lost, and it can be undone. For one look at another layer use `layer` of the other
    tools. Without run, layer is that of the default run.
    """
    if run is None and layer is None:
        raise BadInput("Give run (r1, r2, … or auto), layer (0, 1, … or auto), or both.")
    runs, card = workspace.runs, workspace.store.card(dataset)
    named = None if run in (None, AUTO) else run
    index = layer if isinstance(layer, int) else None
    # First all that may be refused: nothing is changed half.
    id_ = runs.default(card.name, by_rule=True).run.id if run == AUTO else named
    target = runs.load(card.name, id_, index)
    if run is not None:
        runs.choose_run(card.name, ChosenRun(run=named, by=by) if named else None)
    if layer is not None:
        shown_layer = target.found_layer if index is None else index
        runs.choose_layer(target, ChosenLayer(layer=shown_layer, by=by))
    shown, default = runs.load(card.name, target.id), runs.default(card.name)
    return DefaultSet(
        dataset=card.name,
        default_run=default.run.id,
        why=default.why,
        run=shown.id,
        layer=shown.recommended,
        clusters=shown.layers[shown.recommended].clusters,
        noise=shown.noise,
        recommended_layer=shown.found_layer,
        reason=shown.reason,
    )
