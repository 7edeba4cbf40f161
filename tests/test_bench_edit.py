"""The arithmetic of `tuiface bench edit`."""

from __future__ import annotations

import numpy as np
import pytest

from tuiface.benchmarks.editing import check_ranking, spearman


def test_rank_correlation_sees_order_alone() -> None:
    a = np.array([3.0, 1.0, 2.0, 10.0])
    assert spearman(a, np.exp(a)) == pytest.approx(1)
    assert spearman(a, -a) == pytest.approx(-1)
    assert spearman(np.array([1.0, 1, 2, 3]), np.array([1.0, 2, 3, 4])) == pytest.approx(0.9487, abs=1e-4)


@pytest.mark.parametrize(
    ("free", "holds"),
    [
        ({"mouth_open": 0.5, "eye_opening": 0.4, "age": 3.0, "smile": 1.0, "yaw": 20.0}, 1.0),
        ({"mouth_open": 5.0, "age": 3.0, "yaw": 20.0}, 0.0),
        ({"mouth_open": 0.5, "age": 30.0, "yaw": 20.0}, 0.0),
    ],
)
def test_published_ranking(free: dict[str, float], holds: float) -> None:
    assert check_ranking(free) == {"groups": 3.0, "holds": holds}
