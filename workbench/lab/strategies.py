"""Ways to load a model, as plain functions, each as in a published program. They differ in when and how they load.

``work`` is a ``cell.Workload``: it holds the chunks and the voice and measures the calls. All calls that use the Hub
are written out here with the real libraries.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

VOCODER = "charactr/vocos-mel-24khz"
_ASKS_THE_HUB = ("from_pretrained", "hf_hub_download")


def reload_per_chunk(work: Any) -> None:
    """The bug. Upstream shipped it until its commit f2b892a of 15 October 2024 (SWivid/F5-TTS#75), in gradio_app.py and
    in inference-cli.py: it builds the vocoder again for every chunk, and each time asks the Hub for two files that are
    in the cache. The acoustic model is loaded once, as it was there.
    """
    from vocos import Vocos

    acoustic = work.acoustic(work.local_weights())
    for chunks in work.runs():
        for chunk in chunks:
            mel = work.sample(acoustic, chunk)
            vocos = Vocos.from_pretrained("charactr/vocos-mel-24khz")
            work.decode(vocos, mel)


def reload_per_run(work: Any) -> None:
    """Load everything in every run. The F5-TTS node of ComfyUI (niknah/ComfyUI-F5-TTS, ``F5TTS.create``) does this:
    each execution asks the Hub for the checkpoint and both files of the vocoder, and builds the models again.
    """
    from huggingface_hub import hf_hub_download
    from vocos import Vocos

    for chunks in work.runs():
        acoustic = work.acoustic(hf_hub_download(work.repo, work.weights))
        vocos = Vocos.from_pretrained(VOCODER)
        for chunk in chunks:
            work.decode(vocos, work.sample(acoustic, chunk))


def lazy_first_use(work: Any) -> None:
    """Load at the first use, then keep. Upstream's Gradio app (f5_tts/infer/infer_gradio.py, 1.1.22) does so with the
    E2 model: the first visitor waits for the load in the middle of a run, later visitors do not.
    """
    from huggingface_hub import hf_hub_download
    from vocos import Vocos

    vocos = None
    for chunks in work.runs():
        if vocos is None:
            acoustic = work.acoustic(hf_hub_download(work.repo, work.weights))
            vocos = Vocos.from_pretrained(VOCODER)
        for chunk in chunks:
            work.decode(vocos, work.sample(acoustic, chunk))


def load_once_hub(work: Any) -> None:
    """Load once at the start, but ask the Hub for each of three files first. ``f5_tts.api.F5TTS()`` (1.1.22) and most
    front-ends do so: they load once, but if the Hub cannot be reached they start three time-outs late, because only the
    Hub knows which commit "main" is.
    """
    from huggingface_hub import hf_hub_download
    from vocos import Vocos

    acoustic = work.acoustic(hf_hub_download(work.repo, work.weights))
    vocos = Vocos.from_pretrained(VOCODER)
    for chunks in work.runs():
        for chunk in chunks:
            work.decode(vocos, work.sample(acoustic, chunk))


def load_once_pinned(work: Any) -> None:
    """Load once, from local files, without asking the Hub. This is the workbench's ``load_engine``, unchanged: it finds
    the files on disk by a pinned revision or in the model's own folder, and uses no network.
    """
    from workbench.engine.speech.synthesis import load_engine

    engine = load_engine(work.model, load=work.load)
    work.note_load(engine)
    for chunks in work.runs():
        spoken = engine.synthesize(
            work.text,
            work.voice,
            work.settings,
            chunks=chunks,
            timeline=work.timeline,
        )
        work.keep(*spoken)


@dataclass(frozen=True)
class Strategy:
    """A way to load.

    Attributes:
        name: name on the command line.
        title: shown to users.
        function: the program.
    """

    name: str
    title: str
    function: Callable[[Any], None]

    @property
    def paragraph(self) -> str:
        """Description of the strategy, in one paragraph."""
        return " ".join((inspect.getdoc(self.function) or "").split())

    @property
    def code(self) -> str:
        """The source of the function, without its docstring."""
        source = textwrap.dedent(inspect.getsource(self.function))
        body = ast.parse(source).body[0].body  # type: ignore[attr-defined]
        lines = source.splitlines()
        text = body[0]  # the docstring
        return "\n".join(lines[: text.lineno - 1] + lines[text.end_lineno :]).strip("\n")

    @property
    def guilty_lines(self) -> dict[int, str]:
        """Line of ``code`` (from 1) to its fault, found in the syntax tree; empty if there is none."""
        found: dict[int, str] = {}
        _search(ast.parse(self.code), (), found)
        return dict(sorted(found.items()))


def _search(node: ast.AST, loops: tuple[str, ...], found: dict[int, str]) -> None:
    """Find every call below ``node`` that asks the Hub, and the loops around it."""
    if isinstance(node, ast.For):
        loops = (*loops, ast.unparse(node.target))
    if isinstance(node, ast.If) and "is None" in ast.unparse(node.test):
        loops = (*loops, "first")
    if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in _ASKS_THE_HUB:
        found[node.lineno] = _verdict(loops)
    for child in ast.iter_child_nodes(node):
        _search(child, loops, found)


def _verdict(loops: tuple[str, ...]) -> str:
    if "first" in loops:
        return "asks the Hub in the middle of the first run"
    if "chunk" in loops:
        return "inside the loop over chunks: loads, and asks the Hub, once for every chunk"
    if "chunks" in loops:
        return "inside the loop over runs: loads, and asks the Hub, for every run"
    return "asks the Hub although the file is in the cache"


BUG, OURS = "reload-per-chunk", "load-once-pinned"
STRATEGIES = {
    s.name: s
    for s in (
        Strategy(BUG, "Reload per chunk (the bug)", reload_per_chunk),
        Strategy("reload-per-run", "Reload per run", reload_per_run),
        Strategy("lazy-first-use", "Lazy, at first use", lazy_first_use),
        Strategy("load-once-hub", "Load once, ask the Hub", load_once_hub),
        Strategy(OURS, "Load once, pinned (ours)", load_once_pinned),
    )
}
