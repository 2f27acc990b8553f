"""New rows for a dataset that is there."""

from support.made_shop import FLAT, fill, made_run
from support.texts import tickets

from corpuscope.tools.core.schema import Watch
from corpuscope.tools.ingest import ingest
from corpuscope.tools.workspace.workspace import Workspace


def test_a_dataset_grows_with_its_own_embedder_and_counts_what_is_in_no_run(
    workspace: Workspace,
) -> None:
    rows = tickets(each=36)
    fill(workspace, rows=rows[:150])
    before = workspace.store.card("shop")
    run = made_run(workspace, FLAT).run.id
    grown = ingest(workspace, Watch(), dataset="shop", rows=rows, id_column="id")
    assert (grown.added, grown.unchanged, grown.records) == (30, 150, 180)
    assert (grown.in_no_run, grown.newest_run) == (30, run)
    after = workspace.store.card("shop")
    assert (after.collection, after.embedding) == (before.collection, before.embedding)
    assert after.version > before.version
