"""What people and assistants chose to see: a dataset's default run, and the layer a run shows.

Both are small files beside the runs, which never change themselves. Without a choice the default is
the newest plain run of all records, and a run shows the layer that clustering recommended.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from corpuscope.tools.core.ids import stands_in
from corpuscope.tools.core.schema import Run, Scalar

ChosenBy = Literal["assistant", "person"]

BY_HAND = "by_hand"
"""The parameter of a run that names the settings of the engine that were given by hand."""

RULE = (
    "Default: the run chosen with set-default, else the newest of all records made without engine "
    "settings by hand; runs of a filter and trials have to be named."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenRun:
    """The run that was made a dataset's default."""

    run: str
    by: ChosenBy


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenLayer:
    """The layer that was made the one a run shows."""

    layer: int
    by: ChosenBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The parameters that found the layers of a run whose earlier run was deleted."""

    parameters: dict[str, Scalar]


@dataclass(frozen=True, slots=True)
class DefaultRun:
    """A dataset's default run, and why it is that one."""

    run: Run
    why: str


def default_run(newest_first: Sequence[Run], chosen: ChosenRun | None) -> DefaultRun:
    """The default among a dataset's runs, at least one.

    A choice holds until the dataset is replaced and clustered anew. Settings that say how the
    engine searches (`min_cluster_size`, `space`, `seed`, …) make a trial; what is asked of the
    texts (`regardless_of`) does not.
    """
    newest = newest_first[0]
    if chosen is not None:
        for run in newest_first:
            if run.id == chosen.run and run.collection == newest.collection:
                return DefaultRun(run, f"chosen by the {chosen.by}")
    whole = [run for run in newest_first if run.parameters.get("where") is None]
    if plain := next((run for run in whole if not settings_by_hand(run)), None):
        return DefaultRun(plain, "the newest plain run of all records")
    if whole:
        return DefaultRun(whole[0], "the newest of all records; all of these are trials")
    return DefaultRun(newest, "the newest; none is of all records")


def settings_by_hand(run: Run) -> str:
    """The settings of the engine that the run was given by hand, `seed, space`; "" for none."""
    stated = run.parameters
    if BY_HAND in stated:
        return str(stated[BY_HAND] or "")
    # Older runs do not say; what they do state differs from how a run is made without settings.
    usual: Mapping[str, tuple[Scalar, ...]] = {
        "min_cluster_size": (None,),
        "space": (None, "graph"),
        "seed": (None, 0),
    }
    return ", ".join(name for name, values in usual.items() if stated.get(name) not in values)


def apart(run: Run) -> str | None:
    """Why a run is never the default unless it is chosen; None where nothing speaks against it."""
    if (where := run.parameters.get("where")) is not None:
        return f"where {where}"
    by_hand = settings_by_hand(run)
    return f"trial: {by_hand}" if by_hand else None


def showing_layer(run: Run, layer: int, why: str = "") -> Run:
    """The run as it is shown at another of its layers, or as it was found where that is the one.

    Noise is counted for that layer; why records are noise is known for the layer found alone.
    """
    found = run.found_layer
    if layer == run.recommended:
        return run
    if layer == found:
        # A run that was made of one as it was shown: this is what the first one found.
        why = f"Layer {found} ({run.layers[found].clusters} clusters) is the recommended one."
    noise = run.records - sum(node.size for node in run.nodes if stands_in(node, layer))
    clusters = run.layers[layer].clusters
    return replace(
        run,
        recommended=layer,
        found=None if layer == found else found,
        noise=noise,
        noise_reasons={},
        reason=why or f"Layer {layer} was asked for ({clusters} clusters); {found} is recommended.",
    )


def reason_of_choice(run: Run, chosen: ChosenLayer) -> str:
    """Why a run shows a layer that was chosen, in a sentence."""
    found = run.found_layer
    return (
        f"Layer {chosen.layer} ({run.layers[chosen.layer].clusters} clusters) was chosen by the "
        f"{chosen.by}; {found} ({run.layers[found].clusters}) is recommended."
    )
