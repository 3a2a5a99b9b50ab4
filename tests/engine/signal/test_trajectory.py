"""The plane of trajectories: distances kept where two axes are enough, and numpy's SVD otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.engine.signal.trajectory import plane


def test_paths_that_lie_in_a_plane_keep_their_distances() -> None:
    draw = np.random.default_rng(0)
    axes = np.linalg.qr(draw.normal(size=(4000, 2)))[0].T
    flat = draw.normal(size=(9, 2)) @ axes * 50
    found = plane([flat[:5].reshape(5, 40, 100), flat[5:].reshape(4, 40, 100)])
    assert sum(found.explained) == pytest.approx(1, abs=1e-5) and found.n_frames == 40
    assert [len(path) for path in found.paths] == [5, 4]
    points = np.concatenate(found.paths)
    for k in range(8):
        assert np.linalg.norm(points[k + 1] - points[k]) == pytest.approx(
            np.linalg.norm(flat[k + 1] - flat[k]) / np.sqrt(4000), rel=1e-3
        )


def test_it_is_the_singular_value_decomposition() -> None:
    states = np.random.default_rng(1).normal(size=(7, 30, 20))
    flat = states.reshape(7, -1) - states.reshape(7, -1).mean(axis=0)
    u, s, _ = np.linalg.svd(flat, full_matrices=False)
    found = plane([states])
    assert np.abs(found.paths[0]) == pytest.approx(np.abs(u[:, :2] * s[:2]) / np.sqrt(600), abs=1e-3)
    assert found.explained == pytest.approx((s**2 / (s**2).sum())[:2], abs=1e-4)


def test_a_path_goes_to_the_right_and_lengths_may_differ() -> None:
    a = np.linspace(0, 1, 6)[:, None, None] * np.ones((6, 12, 10))
    b = np.linspace(0, 2, 4)[:, None, None] * np.ones((4, 9, 10))
    found = plane([a.astype(np.float16), b.astype(np.float16)])
    assert found.n_frames == 9 and (np.diff(found.paths[0][:, 0]) > 0).all()
    assert found.paths[0][-1, 0] - found.paths[0][0, 0] == pytest.approx(1, abs=1e-3)
    assert np.isfinite(np.concatenate(plane([np.zeros((1, 3, 4))]).paths)).all()
