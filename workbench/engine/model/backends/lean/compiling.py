"""Lean's operations compiled by inductor: one layer, whose code serves all, and what stands before and after them."""

from __future__ import annotations

import itertools
import logging
import types
from collections.abc import Callable
from typing import Any

import torch

from workbench.engine.model.backends.graphs import first_line
from workbench.engine.model.backends.lean.attention import Places
from workbench.engine.model.backends.lean.step import LeanStep
from workbench.engine.model.capturing import COMPILING

_numbers = itertools.count()
log = logging.getLogger("workbench.backends")


class Compiler:
    """Compiles a step once, for all lengths: for some ten seconds the first time, for one from PyTorch's disk cache.

    Attributes:
        failure: why it could not be compiled, or must not be used any more; or "".
    """

    def __init__(self, **options: Any) -> None:
        self._options = {"fullgraph": True} | options
        self._plain: tuple[Callable[..., Any], ...] = ()
        self._compiled: tuple[Callable[..., Any], ...] = ()
        self._ready: set[int] = set()
        self.failure = ""

    def is_ready(self, rows: int) -> bool:
        """Whether nothing is left to compile for this number of rows."""
        return bool(self.failure) or rows in self._ready

    def compile(self, step: LeanStep, evaluate: Callable[[], object], rows: int) -> None:
        """Compile ``step``; where that fails, a warning says why, and ``step`` stays as it was.

        Args:
            step: whose operations are compiled.
            evaluate: evaluates ``step``, which compiles what is called.
            rows: that it evaluates; PyTorch's compiler has other code for one row than for several.
        """
        if not self._compiled:
            self._plain = step.run_enter, step.run_block, step.run_leave
            self._compiled = tuple(torch.compile(_own(function), **self._options) for function in self._plain)
        self._ready.add(rows)
        enter, block, leave = self._compiled
        step.run_enter, step.run_block = _for_all_lengths(enter), block
        step.run_leave = _after_all_lengths(leave)
        step.use(step.compiled)
        try:
            with COMPILING:
                evaluate()
        except Exception as error:  # the compilers' are of many kinds; one of ``step`` itself is raised again without
            self.give_up(step, first_line(error))
            log.warning("the lean backend could not be compiled and goes on without: %s", self.failure)
        else:
            step.run_enter, step.run_leave = enter, leave

    def give_up(self, step: LeanStep, why: str) -> None:
        """Let ``step`` run as it is."""
        self.failure = self.failure or why
        if self._plain:
            step.run_enter, step.run_block, step.run_leave = self._plain
            step.use(step.plain)


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
