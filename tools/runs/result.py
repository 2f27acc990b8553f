"""What the tool `cluster` answers: what a clustering found, in words and as data.

Out of a run, its largest clusters and what became of earlier ones. The tool fills it.
"""

from typing import Self

from pydantic import Field

from corpuscope.tools.clustering.noise import noise_levels, noise_sentence
from corpuscope.tools.core.schema import STALE, Layer, Result, Verbatim
from corpuscope.tools.runs.changes import Comparison
from corpuscope.tools.workspace.headings import HeadingLine

KEYWORDS_SHOWN = 6


class TopCluster(Result):
    """One cluster with what shows it."""

    id: Verbatim
    title: str | None
    """Where an earlier run described the same cluster."""
    new: bool
    """Whether no cluster of the earlier run is the same; false where there is none."""
    was: Verbatim | None
    """The id of the same cluster in the earlier run, where it is another one."""
    size: int
    share: float
    beside: int | None = None
    """Records of the noise that are nearest to it, not in `size`; None where nobody asked."""
    keywords: list[str]
    exemplar: str

    def as_text(self) -> str:
        """The cluster in two lines."""
        words = ", ".join(self.keywords[:KEYWORDS_SHOWN])
        named = f"{self.title} ({words})" if self.title else words
        mark = " (new)" if self.new else f" (was {self.was})" if self.was else ""
        beside = f" + {self.beside:,} of the noise" if self.beside else ""
        return (
            f"{self.id}{mark}: {named}: {self.size:,} records ({self.share:.1%}){beside}\n"
            f"    {self.exemplar}"
        )


class AssignedRecord(Result):
    """A new record and the theme that it was put into."""

    id: Verbatim
    text: str
    cluster: Verbatim
    """The theme, or the part of it found by drilling down; `noise` where it fits none."""
    title: str | None
    """The theme's title, or its first keywords."""
    noise_reason: Verbatim | None
    """Why it is noise; None in a theme, or where that is not known."""

    def as_text(self) -> str:
        """The record and its theme in a line."""
        why = f" ({self.noise_reason})" if self.noise_reason else ""
        return f"  {self.cluster}{f' {self.title}' if self.title else why}: [{self.id}] {self.text}"


class ClusterResult(Result):
    """What a clustering found."""

    dataset: Verbatim
    run: Verbatim
    within: Verbatim | None
    """The cluster that was split, or those whose records were clustered: `3, 5.1`."""
    where: str | None
    records: int
    """In the dataset, or the part of it that was clustered."""
    clusters: int
    """In the recommended layer, or below `within`."""
    noise: int
    noise_share: float
    noise_reasons: dict[str, int]
    """Records of the noise by why they are in no cluster; get-members filters by it."""
    layers: list[Layer]
    """Of the whole run; empty where one cluster was split."""
    recommended_layer: int
    reason: Verbatim
    headings: list[HeadingLine]
    """Where there are many clusters: what they stand under, with the largest of each."""
    top: list[TopCluster]
    comparison: Comparison | None
    """What became of the clusters of the newest earlier run of the same records, if there is one;
    clusters that are the same kept their ids."""
    titles_kept: int
    """Descriptions taken over from that run, or from the one that records were assigned to."""
    stale: list[Verbatim]
    """Clusters whose description was taken over, though many of their records changed since it was
    written."""
    assigned_from: Verbatim | None
    assigned: int
    """New records that were put into the clusters of `assigned_from`."""
    assigned_records: list[AssignedRecord]
    """Each of them with its theme, where they are few."""
    hint: Verbatim | None
    regardless_of: list[Verbatim]
    """Columns across whose values the themes were found."""
    found_in_noise: list[Verbatim]
    """Themes beyond the layer, found among what is noise in it, and counted as noise."""
    in_found: int
    """Records of the noise that are in one of them."""
    noise_assigned: int | None
    """Records of the noise with a nearest theme (noise='assign'), still counted as noise."""
    warnings: list[str]
    """What to know before the themes are believed, with the next step."""
    map: str
    """`ready`, or `being drawn`: `plot` waits for it."""
    frozen: list[Verbatim] = Field(default_factory=list)
    """Frozen themes that were kept together, `3`, or `12 (was 3.1)`."""
    default: str | None = None
    """Where another run stays the dataset's default: which one, and why; or that this one, across a
    column, has become it."""

    def with_run(self, run: str, drawn: str, default: str | None) -> Self:
        """The result of a run that is saved by now, the state of its map, and which run is the
        default if it is not this one."""
        return self._with(run=run, map=drawn, default=default)

    def as_text(self) -> str:
        """Counts, the top clusters and the next step."""
        if self.within and not self.layers and not self.top:
            return (
                f"{self.within} of '{self.dataset}' ({self.records:,} records) does not split "
                f"further; no run was made. {self.hint}"
            )
        what = f"{self.within} of '{self.dataset}'" if self.within else f"'{self.dataset}'"
        where = f" where {self.where}" if self.where else ""
        lines = [
            f"Run {self.run} of {what}{where}: {self.records:,} records, {self.noise:,} of them "
            f"noise ({self.noise_share:.1%}). {self.reason}"
        ]
        if self.regardless_of:
            lines.append(
                f"Found across {' and '.join(self.regardless_of)}: what the texts of each value "
                "share was taken off."
            )
        if self.assigned_records:
            lines += ["Each new record:", *(record.as_text() for record in self.assigned_records)]
        lines += self.warnings
        if self.noise_reasons:
            lines.append(f"Of the {noise_sentence(self.noise_reasons)}.")
        lines += noise_levels(self.in_found, self.found_in_noise, self.noise_assigned)
        if len(self.layers) > 1:
            counts = ", ".join(f"{layer.index}: {layer.clusters}" for layer in self.layers)
            lines.append(f"Layers, coarse to fine (clusters): {counts}.")
        if self.comparison is not None:
            lines.append(self.comparison.as_text())
        if self.frozen:
            lines.append(f"Kept as frozen ({len(self.frozen)}): {', '.join(self.frozen)}.")
        if self.titles_kept:
            came = self.assigned_from or (self.comparison and self.comparison.earlier)
            lines.append(f"{self.titles_kept} descriptions were taken over from {came}.")
        if self.stale:
            lines.append(
                f"Stale, as {STALE:.0%} or more of the records changed since they were written: "
                f"{', '.join(self.stale)}. describe-cluster tries them on the texts of now."
            )
        if self.headings:
            lines.append(f"{self.clusters} themes under headings (all: `list-clusters`):")
            lines += [heading.as_text() for heading in self.headings]
        else:
            lines += [cluster.as_text() for cluster in self.top]
            if self.clusters > len(self.top):
                lines.append(f"… {self.clusters - len(self.top)} more: `list-clusters`.")
        if self.hint:
            lines.append(self.hint)
        if self.default:
            lines.append(self.default)
        if self.top:
            lines.append(self._next())
        return "\n".join(lines)

    def _next(self) -> str:
        whose = f"dataset='{self.dataset}', run='{self.run}'"
        # Headings get words of their own, from those of their themes.
        every = "tree" if self.headings else "all"
        words = every if self.layers else [cluster.id for cluster in self.top]
        return (
            f"Next: describe-cluster(cluster={words!r}, {whose}), plot({whose}), or "
            f"cluster(within='{self.top[0].id}', {whose})."
        )
