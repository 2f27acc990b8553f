from dataclasses import replace

import pytest
from support.made_runs import made, many_themes

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.workspace.headings import (
    heading_layer,
    heading_line,
    parts_of,
    shared_out,
    theme_groups,
    themes_below,
)


def test_few_themes_stand_flat_and_many_under_the_layer_above_them() -> None:
    few, many = made(many_themes(6, 6)).run, made(many_themes(6, 8)).run
    assert heading_layer(few) is None
    assert heading_layer(many) == 0
    assert heading_layer(replace(many, headings=0)) == 0
    assert heading_layer(many, wanted=False) is None
    assert heading_layer(few, wanted=True) == 0


def test_a_layer_of_too_few_or_too_many_clusters_heads_nothing_unless_it_is_named() -> None:
    for paths in (many_themes(2, 25, 0), many_themes(24, 3, 0)):
        run = made(paths).run
        assert heading_layer(run) is None
        assert heading_layer(replace(run, headings=0)) == 0, "the run itself knows better"


def test_headings_where_no_layer_can_be_one_are_refused_with_what_there_is() -> None:
    coarsest = replace(made(many_themes()).run, recommended=0)
    with pytest.raises(BadInput, match="no coarser layer of 2 to 20 clusters .* 9 themes"):
        heading_layer(coarsest, wanted=True)


def test_themes_are_grouped_the_largest_first_and_those_without_a_heading_last() -> None:
    selection = made(many_themes()).selection
    groups = theme_groups(selection, True)
    assert [group.heading and group.heading.id for group in groups] == [*"123456", None]
    assert [theme.id for theme in groups[0].themes][:2] == ["1.1", "1.2"]
    assert {theme.id for theme in groups[-1].themes} == {"7", "8", "9"}
    every = [theme.id for group in groups for theme in group.themes]
    assert sorted(every) == sorted(node.id for node in selection.standing_in(1))
    assert sum(group.size for group in groups) == selection.run.records - selection.run.noise


def test_a_heading_counts_the_records_in_its_themes_alone() -> None:
    selection = made("1:100 1.1:20 1.2:10 2.1:30 2.2:5").selection
    first = theme_groups(selection, True)[0]
    assert heading_line(selection, first).as_text().endswith("2 themes, 35 records (21.2%)")
    assert [group.size for group in theme_groups(selection, True)] == [35, 30]


def test_a_page_has_some_of_every_group() -> None:
    groups = theme_groups(made(many_themes(6, 8)).selection, True)
    for most in (51, 30, 3):
        shown = shared_out(groups, most)
        assert sum(map(len, shown)) <= max(most, len(groups))
        assert all(shown)
    assert [len(themes) for themes in shared_out(groups, 30)] == [4, 4, 4, 4, 4, 4, 3]


def test_what_lies_below_a_heading_are_the_themes_shown_and_below_a_theme_its_parts() -> None:
    run = made("1.1.1:5 1.1.2:5 1.2:5 2:9")
    nodes = [
        replace(node, layers=(0, 0) if node.id == "1.1" else node.layers) for node in run.run.nodes
    ]
    selection = replace(run.selection, run=replace(run.run, nodes=nodes))
    assert [node.id for node in themes_below(selection, "1")] == ["1.1.1", "1.1.2", "1.2"]
    assert [node.id for node in parts_of(selection, "1")] == ["1.1.1", "1.1.2", "1.2"]
    flat = replace(selection, run=replace(selection.run, recommended=0))
    assert [node.id for node in parts_of(flat, "1.1")] == ["1.1.1", "1.1.2"]
