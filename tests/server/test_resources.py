"""The pages that resources show."""

from support.made_shop import fill, made_run

from corpuscope.server.resources import cluster_page
from corpuscope.tools.core.schema import Description, Sentence
from corpuscope.tools.describing.gathering import gather_tasks
from corpuscope.tools.workspace.workspace import Workspace


def test_the_page_of_a_cluster_shows_examples_then_its_words_with_their_evidence(
    workspace: Workspace,
) -> None:
    fill(workspace)
    selection = made_run(workspace)
    page = cluster_page(workspace, "shop", selection.run.id, "3")
    assert page.startswith("# 3: word3, phrase3, text\n")
    assert "Keywords: word3, phrase3, text" in page
    evidence = gather_tasks(workspace, selection, [selection.node("3")])[0].evidence
    workspace.runs.save_evidence(selection.run, evidence.cluster, evidence)
    words = Description(
        cluster="3",
        title="Broken machines",
        summary=[Sentence(text="They leak.", records=[])],
        keywords=[],
        misfits="One is about tea.",
        author="assistant",
    )
    workspace.runs.save_description(selection.run, words)
    page = cluster_page(workspace, "shop", selection.run.id, "3")
    assert page.startswith("# 3: Broken machines\n\nThey leak.\n\nDescribed by assistant; proof: ")
    assert "Does not fit: One is about tea." in page
    assert evidence.as_text() in page
