"""Evaluations: speak a test set, measure what was said and how, report it, and compare two of them."""

from __future__ import annotations

from workbench.engine.evaluation.comparing import compare
from workbench.engine.evaluation.plan import How, folder_of, list_evaluations
from workbench.engine.evaluation.running import Evaluation, evaluate, open_evaluation

__all__ = ["Evaluation", "How", "compare", "evaluate", "folder_of", "list_evaluations", "open_evaluation"]
