"""Ways to load a model, as plain functions, each as somebody ships it. They differ in when they load and whom they ask.

``stage`` is ``cell.Stage``: it has the text cut into chunks, the voice, and measures what is called. Everything
that touches the Hub stands here in the open, in the real libraries' own words.
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


def reload_per_chunk(stage: Any) -> None:
    """The bug. Upstream shipped it until its commit f2b892a of 15 October 2024 (SWivid/F5-TTS#75), in gradio_app.py and
    in inference-cli.py: the vocoder is made anew for every chunk, and each time two files are looked for on the Hub,
    though both lie in the cache. The acoustic model was loaded once there, and is here.
    """
    from vocos import Vocos

    acoustic = stage.acoustic(stage.local_weights())
    for chunks in stage.runs():
        for chunk in chunks:
            mel = stage.sample(acoustic, chunk)
            vocos = Vocos.from_pretrained("charactr/vocos-mel-24khz")
            stage.decode(vocos, mel)


def reload_per_run(stage: Any) -> None:
    """Every run loads everything. The F5-TTS node of ComfyUI (niknah/ComfyUI-F5-TTS, ``F5TTS.create``) works like this:
    each execution asks the Hub for the checkpoint and both files of the vocoder, and builds the models again.
    """
    from huggingface_hub import hf_hub_download
    from vocos import Vocos

    for chunks in stage.runs():
        acoustic = stage.acoustic(hf_hub_download(stage.repo, stage.weights))
        vocos = Vocos.from_pretrained(VOCODER)
        for chunk in chunks:
            stage.decode(vocos, stage.sample(acoustic, chunk))


def lazy_first_use(stage: Any) -> None:
    """Load when first needed, then keep. Upstream's Gradio app (f5_tts/infer/infer_gradio.py, 1.1.22) does so with the
    E2 model: the first visitor pays for the load, in the middle of a run; the next ones do not.
    """
    from huggingface_hub import hf_hub_download
    from vocos import Vocos

    vocos = None
    for chunks in stage.runs():
        if vocos is None:
            acoustic = stage.acoustic(hf_hub_download(stage.repo, stage.weights))
            vocos = Vocos.from_pretrained(VOCODER)
        for chunk in chunks:
            stage.decode(vocos, stage.sample(acoustic, chunk))


def load_once_hub(stage: Any) -> None:
    """Load once at the start, and ask the Hub for each of three files first. This is ``f5_tts.api.F5TTS()`` of today
    (1.1.22), and how most front-ends begin: right as to loading, and still three time-outs late where the Hub is out of
    reach, because the revision is "main", and what "main" is only the Hub can tell.
    """
    from huggingface_hub import hf_hub_download
    from vocos import Vocos

    acoustic = stage.acoustic(hf_hub_download(stage.repo, stage.weights))
    vocos = Vocos.from_pretrained(VOCODER)
    for chunks in stage.runs():
        for chunk in chunks:
            stage.decode(vocos, stage.sample(acoustic, chunk))


def load_once_pinned(stage: Any) -> None:
    """Load once, from local files, with no question asked. This is the workbench's own ``load_engine``, unchanged: the
    files are found on the disk by a pinned revision or in the model's own folder, and no code on this way can reach
    a network.
    """
    from workbench.engine.speech.synthesis import load_engine

    engine = load_engine(stage.model, device=stage.device)
    stage.note_load(engine)
    for chunks in stage.runs():
        spoken = engine.synthesize(
            stage.text,
            stage.voice,
            stage.settings,
            chunks=chunks,
            timeline=stage.timeline,
        )
        stage.keep(*spoken)


@dataclass(frozen=True)
class Strategy:
    """A way to load.

    Attributes:
        name: on the command line.
        title: for people.
        function: what runs.
    """

    name: str
    title: str
    function: Callable[[Any], None]

    @property
    def paragraph(self) -> str:
        """Who ships it, and what it does."""
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
        """Line of ``code`` (from 1) to what is wrong with it. Found in the syntax tree, empty if nothing is."""
        found: dict[int, str] = {}
        _search(ast.parse(self.code), (), found)
        return dict(sorted(found.items()))


def _search(node: ast.AST, loops: tuple[str, ...], found: dict[int, str]) -> None:
    """Note every call below ``node`` that asks the Hub, with the loops that it stands in."""
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
        Strategy("load-once-hub", "Load once, Hub asked", load_once_hub),
        Strategy(OURS, "Load once, pinned (ours)", load_once_pinned),
    )
}
