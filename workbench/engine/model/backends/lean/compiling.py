"""Lean's operations compiled by inductor: one layer, whose code serves all, and what stands before and after them."""

from __future__ import annotations

import itertools
import logging
import types
from collections.abc import Callable
from typing import Any

import torch

from workbench.engine.model.backends.lean.attention import Places
from workbench.engine.model.backends.lean.step import LeanStep

_numbers = itertools.count()
log = logging.getLogger("workbench.backends")


class Compiler:
    """Compiles a step once, for all lengths: for some ten seconds the first time, for one from PyTorch's disk cache.

    Attributes:
        failure: why it could not be compiled, or "".
    """

    def __init__(self, **options: Any) -> None:
        self._options = {"fullgraph": True} | options
        self.is_done = False
        self.failure = ""

    def compile(self, step: LeanStep, evaluate: Callable[[], object]) -> None:
        """Compile ``step``; where that fails, a warning says why, and ``step`` stays as it was.

        Args:
            step: whose operations are compiled.
            evaluate: evaluates ``step``, which compiles what is called.
        """
        self.is_done = True
        plain = step.run_enter, step.run_block, step.run_leave
        enter, block, leave = (torch.compile(_own(function), **self._options) for function in plain)
        step.run_enter, step.run_block = _for_all_lengths(enter), block
        step.run_leave = _after_all_lengths(leave)
        try:
            evaluate()
        except RuntimeError as error:  # the compiler's own are children of it
            self.failure = f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
            log.warning("the lean backend could not be compiled and goes on without: %s", self.failure)
            step.run_enter, step.run_block, step.run_leave = plain
        else:
            step.run_enter, step.run_leave = enter, leave


def _own(function: Any) -> Any:
    """A copy of ``function`` with code of its own: what is compiled for one engine does not count against another's."""
    code = function.__code__.replace(co_name=f"{function.__name__}_{next(_numbers)}")
    return types.FunctionType(code, function.__globals__, code.co_name)


def _for_all(value: torch.Tensor, dimension: int = 1) -> torch.Tensor:
    """``value``, of which the compiler is told that its frames differ from chunk to chunk."""
    from torch._dynamo import maybe_mark_dynamic

    maybe_mark_dynamic(value, dimension)
    return value


def _after_all_lengths(leave: Callable[..., Any]) -> Callable[[LeanStep, torch.Tensor], torch.Tensor]:
    """``leave`` behind a value whose frames differ from chunk to chunk."""

    def marking(step: LeanStep, a: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = leave(step, _for_all(a))
        return made

    return marking


def _for_all_lengths(enter: Callable[..., Any]) -> Callable[..., Any]:
    """``enter`` between values whose frames differ from chunk to chunk."""

    def marking(
        step: LeanStep, x: torch.Tensor, constants: torch.Tensor, m: torch.Tensor, places: Places
    ) -> tuple[torch.Tensor, torch.Tensor]:
        for value in (x, constants, places.valid):
            if value is not None:
                _for_all(value)
        _for_all(places.angles, places.angles.ndim - 2)
        made: tuple[torch.Tensor, torch.Tensor] = enter(step, x, constants, m, places)
        return _for_all(made[0]), _for_all(made[1])

    return marking
