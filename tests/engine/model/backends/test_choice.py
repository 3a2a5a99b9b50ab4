"""Which backend is taken: rules, and nothing that is measured."""

from __future__ import annotations

import pytest

from workbench.engine.model.backends import chosen_name, equality_of


@pytest.mark.parametrize(
    ("asked", "device", "lean_fits", "has_triton", "name"),
    [
        ("auto", "cpu", True, False, "lean"),
        ("auto", "cpu", False, False, "eager"),
        ("auto", "cuda", True, True, "lean"),
        ("auto", "cuda:1", True, True, "lean"),
        ("auto", "cuda", True, False, "graph"),
        ("auto", "cuda", False, True, "graph"),
        ("auto", "mps", True, True, "eager"),
        ("auto", "xpu", True, True, "eager"),
        ("eager", "cuda", True, True, "eager"),
        ("graph", "cuda:1", True, True, "graph"),
        ("graph", "cpu", True, True, "eager"),
        ("lean", "cuda", True, False, "graph"),
        ("lean", "cuda", False, True, "graph"),
        ("lean", "cpu", False, True, "eager"),
        ("lean", "cpu", True, False, "lean"),
        ("lean", "mps", True, False, "eager"),
    ],
)
def test_the_rules(asked, device, lean_fits, has_triton, name):
    found, reason = chosen_name(asked, device, lean_fits=lean_fits, has_triton=has_triton)
    assert found == name
    assert bool(reason) == (asked not in ("auto", name)), "a reason is given where another was asked for, and only then"


def test_graph_and_eager_give_the_same_samples_and_lean_others():
    assert equality_of("graph") == equality_of("eager") == "eager"
    assert equality_of("lean") == "lean"
    assert equality_of("lean, compiled") != equality_of("lean")
    assert equality_of("") == ""
