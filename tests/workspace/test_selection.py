from dataclasses import replace

from support.made_runs import made

from corpuscope.tools.workspace.selection import theme_places


def test_a_record_is_named_by_the_theme_shown_not_by_the_finest_cluster() -> None:
    run = made("1.1:5 1.2:5 2:9 noise:3").run
    coarse = replace(run, recommended=0)
    paths = ["1.1", "1", "2", "noise"]
    assert theme_places(run, paths) == {"1.1": "1.1", "1": "noise", "2": "2", "noise": "noise"}
    assert theme_places(coarse, paths) == {"1.1": "1", "1": "1", "2": "2", "noise": "noise"}


def test_what_was_found_by_drilling_down_into_a_theme_is_named() -> None:
    run = made("1.1.1:5 1.2:5 2:9 noise.1:3").run
    nodes = [
        replace(node, layers=None, drilled=True) if node.id in ("1.1.1", "noise.1") else node
        for node in run.nodes
    ]
    drilled = replace(run, nodes=nodes)
    assert theme_places(drilled, ["1.1.1"]) == {"1.1.1": "1.1.1"}
    assert theme_places(drilled, ["noise.1"]) == {"noise.1": "noise.1"}
    above = replace(drilled, recommended=0)
    assert theme_places(above, ["1.1.1"]) == {"1.1.1": "1"}, "that theme was not split"
