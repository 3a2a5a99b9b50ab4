"""Upstream's own functions, read from its source file, because importing the file would import transformers."""

from __future__ import annotations

import ast
import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from workbench.engine import upstream
from workbench.engine.catalog import upstream_folder


def function(name: str) -> Any:
    """The function ``name`` of f5_tts/infer/utils_infer.py, compiled alone with the names it uses."""
    upstream.install()
    import torch
    import torchaudio
    from f5_tts.model.utils import convert_char_to_pinyin

    source = (upstream_folder() / "infer" / "utils_infer.py").read_text(encoding="utf-8")
    found = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == name]
    module = ast.Module(body=found, type_ignores=[])
    names = {
        "re": re,
        "np": np,
        "torch": torch,
        "torchaudio": torchaudio,
        "ThreadPoolExecutor": ThreadPoolExecutor,
        "convert_char_to_pinyin": convert_char_to_pinyin,
        "tqdm": None,
        "target_sample_rate": 24000,
        "hop_length": 256,
    }
    exec(compile(module, "utils_infer.py", "exec"), names)
    return names[name]
