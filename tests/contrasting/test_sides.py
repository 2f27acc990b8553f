"""What a client means by a side."""

import pytest
from support.made_shop import PATHS, SIZE, fill, made_run

from corpuscope.tools.contrasting.sides import SideScope, SideSpec, read_sides, where_in_words
from corpuscope.tools.core.errors import BadInput, NotFound
from corpuscope.tools.workspace.workspace import Workspace

SCOPE = SideScope("shop", None, None)


@pytest.fixture(scope="module", autouse=True)
def shop(workspace: Workspace) -> None:
    fill(workspace)
    made_run(workspace)


@pytest.mark.parametrize(
    ("spec", "records", "label"),
    [
        ("1.1", SIZE, "1.1"),
        (3, SIZE, "3"),
        (["1.1", 3], 2 * SIZE, "1.1 and 3"),
        ("noise", SIZE, "noise"),
        ({"theme": "refund"}, SIZE, "refund"),
        ({"cluster": "1", "theme": "refund"}, SIZE, "1, refund"),
        ('{"theme": ["refund", "login"]}', 2 * SIZE, "theme in refund, login"),
        ({"where": {"theme": "refund"}}, SIZE, "refund"),
        ({"stars": {"gte": 4}}, 2 * SIZE, "stars ≥ 4"),
    ],
)
def test_a_side_is_cluster_list_or_filter_as_models_write_them(
    workspace: Workspace, spec: SideSpec, records: int, label: str
) -> None:
    a, b = read_sides(workspace, SCOPE, spec, "rest")
    assert (a.records, a.label) == (records, label)
    assert (b.records, b.label) == (len(PATHS) * SIZE - records, "the rest")
    turned = read_sides(workspace, SCOPE, "rest", spec)
    assert [side.label for side in turned] == ["the rest", label]


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        ("rest", "rest", "a and b are both 'rest'"),
        ({"theme": "refund"}, "1.2", "the same 36 records"),
        ({"theme": "refunds"}, "rest", "none of the 180 records of 'shop' fits. Values of 'theme'"),
        ({}, "rest", r"b \(the rest\) is empty: a \(all of shop\) is all 180 records"),
        ("9", "rest", "No cluster '9' in run r1"),
        ("something", "rest", "no cluster, run or dataset"),
        ([], "rest", "a list without ids"),
        ("{theme", "rest", "a is no JSON"),
        ({"colour": "red"}, "rest", r"No metadata column 'colour'.*Columns: theme \(string\)"),
        ({"run": "r7"}, "1", "No run 'r7' of 'shop'. Runs: r1"),
        ({"run": 3}, "1", "'run' takes a name. A column called so goes into"),
        ("1", {"dataset": "none"}, "none"),
    ],
)
def test_what_is_no_side_is_said_with_what_is(
    workspace: Workspace, a: SideSpec, b: SideSpec, said: str
) -> None:
    with pytest.raises((BadInput, NotFound), match=f"(?s){said}"):
        read_sides(workspace, SCOPE, a, b)


def test_filters_are_said_in_words() -> None:
    where = {"venue": "BBC", "stars": {"gte": 2, "lt": 4}, "agent": None, "day": ["Mo", "Tu"]}
    assert where_in_words(where) == "venue = BBC, stars ≥ 2, stars < 4, no agent, day in Mo, Tu"
    assert where_in_words({"or": [{"a": 1}]}) == '{"or": [{"a": 1}]}'
