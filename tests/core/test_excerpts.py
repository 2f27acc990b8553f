from corpuscope.tools.core.excerpts import redacted
from corpuscope.tools.core.redaction import as_it_is, redact
from corpuscope.tools.core.schema import Sentence
from corpuscope.tools.plot import PlotResult
from corpuscope.tools.runs.result import TopCluster

ADDRESS = "jane.doe@example.org"


def test_ids_stay_where_they_look_like_addresses_of_a_network() -> None:
    assert redact("12.3.1.2") == "[ip]"
    cluster = TopCluster(
        id="12.3.1.2",
        title=f"Mail to {ADDRESS}",
        new=True,
        was="10.2.1.1",
        size=3,
        share=0.5,
        keywords=[ADDRESS, "mail"],
        exemplar=f"Write to {ADDRESS}",
    )
    shown = redacted(cluster, redact)
    assert (shown.id, shown.was) == ("12.3.1.2", "10.2.1.1")
    assert (shown.title, shown.exemplar) == ("Mail to [email]", "Write to [email]")
    assert shown.keywords == ["[email]", "mail"]
    assert redacted(cluster, as_it_is) is cluster


def test_paths_stay_so_that_their_files_are_found() -> None:
    folder = f"/home/{ADDRESS}/plots"
    drawn = PlotResult(
        dataset="people",
        run="r1",
        html=f"{folder}/map.html",
        png=f"{folder}/map.png",
        color_by="cluster",
        groups=1,
        points=3,
        noise=0,
        largest=[f"{ADDRESS} (3)"],
    )
    shown = redacted(drawn, redact)
    assert (shown.html, shown.png) == (drawn.html, drawn.png)
    assert shown.largest == ["[email] (3)"]


def test_stored_parts_of_a_result_are_redacted_but_for_the_ids_of_their_records() -> None:
    sentence = Sentence(text=f"{ADDRESS} asks.", records=["4111111111111111"])
    assert redacted([sentence], redact) == [
        Sentence(text="[email] asks.", records=["4111111111111111"])
    ]
