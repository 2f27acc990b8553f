"""Names of datasets."""

import pytest

from corpuscope.tools.core.errors import BadInput
from corpuscope.tools.core.ids import check_dataset_name


@pytest.mark.parametrize(
    ("name", "fitting"),
    [("News 2024", "news_2024"), ("2024", "d_2024"), ("../etc", "etc"), ("x" * 60, "x" * 40)],
)
def test_a_name_that_does_not_fit_is_answered_with_one_that_does(name: str, fitting: str) -> None:
    with pytest.raises(BadInput, match=f"For example: '{fitting}'"):
        check_dataset_name(name)
    assert check_dataset_name(fitting) == fitting
