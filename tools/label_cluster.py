"""The tool `label-cluster`."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from corpuscope.tools.describing import check_answer
from corpuscope.tools.errors import BadInput
from corpuscope.tools.schema import NOISE, Description, Result, Sentence
from corpuscope.tools.selection import DatasetName, RunId, as_id, rows_of, select
from corpuscope.tools.workspace import Workspace


class Labelled(Result):
    """The description as it was saved."""

    dataset: str
    run: str
    cluster: str
    title: str
    author: str
    undescribed: list[str]
    """Clusters of the recommended layer that still have no description."""

    def as_text(self) -> str:
        """What was saved and what is left."""
        rest = f" Still without: {', '.join(self.undescribed)}." if self.undescribed else ""
        return f"Saved for {self.cluster} (run {self.run}): {self.title}.{rest}"


def label_cluster(
    workspace: Workspace,
    cluster: Annotated[
        str, BeforeValidator(as_id), Field(description="A cluster id (3, 3.1); not noise.")
    ],
    title: Annotated[str, Field(description="At most 8 words; what its texts are about.")],
    summary: Annotated[str, Field(description="2 to 4 sentences that the texts bear out.")],
    records: Annotated[
        list[str],
        Field(
            min_length=1,
            max_length=50,
            description="Ids of records in the cluster that support the summary.",
        ),
    ],
    dataset: DatasetName = None,
    run: RunId = None,
    author: Annotated[
        Literal["assistant", "person"], Field(description="Who wrote it.")
    ] = "assistant",
) -> Labelled:
    """Save a title and summary for a cluster, written by you or by the person.

    Use it to answer the evidence that `describe-cluster` gives where no model is configured, or
    to correct a description. Checked: the title's length, and that the records are in the
    cluster. It replaces what was there and shows in lists and on the map.
    """
    selection = select(workspace, dataset, run)
    if cluster == NOISE:
        raise BadInput(
            "Noise is what belongs to no theme and gets no title. Look for themes in it with "
            "cluster(within='noise')."
        )
    node = selection.node(cluster)
    members = workspace.runs.members(selection.run)
    known = {members.ids[row] for row in rows_of(selection.run, members, cluster)}
    title, summary = check_answer(title, summary, records, known)
    workspace.runs.save_description(
        selection.run,
        Description(
            cluster=node.id,
            title=title,
            summary=[Sentence(text=summary, records=list(dict.fromkeys(records)))],
            keywords=node.keywords,
            author=author,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        ),
    )
    layer = selection.standing_in(selection.run.recommended)
    described = {*selection.descriptions, node.id}
    return Labelled(
        dataset=selection.card.name,
        run=selection.run.id,
        cluster=node.id,
        title=title,
        author=author,
        undescribed=[other.id for other in layer if other.id not in described],
    )
