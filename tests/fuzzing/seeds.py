"""Good files for cases to damage: a tiny model, a home with it, a voice, a run. Made once per process."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.conftest import TINY_ARCH, TINY_SPEC, TINY_VOCOS

TEXT = "One boat is here. Two boats are there."


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="workbench-fuzz-seeds-")


@cache
def model(suffix: str) -> Path:
    """Folder of a random model with config.yaml and vocoder, as a stranger hands it over; ``suffix`` of its weights."""
    from workbench.engine.catalog import bundled_folder
    from workbench.engine.model.random_weights import write_flat

    folder = Path(_folder().name) / f"model{suffix}"
    folder.mkdir()
    vocab = bundled_folder() / "vocab.txt"
    write_flat(TINY_SPEC, folder, vocoder_config=TINY_VOCOS, vocab=vocab, suffix=suffix)
    described = {"backbone": "DiT", "arch": TINY_ARCH, "mel_spec": {"target_sample_rate": 24000}}
    (folder / "config.yaml").write_text(yaml.safe_dump({"model": described}), "utf-8")
    return folder


@cache
def home() -> Path:
    """A home whose cache holds the tiny model, imported under the name "tiny"."""
    from workbench.engine.cache import import_model

    folder = Path(_folder().name) / "home"
    with at_home(folder):
        import_model(model(".safetensors"), name="tiny")
    return folder


@cache
def engine() -> Any:
    """An engine on the tiny model."""
    from workbench.engine.model.loading import load
    from workbench.engine.settings import LoadSettings
    from workbench.engine.speech.synthesis import Engine

    return Engine(load(TINY_SPEC, LoadSettings(device="cpu", dtype="fp32"), folder=model(".safetensors")))


def engine_of_case() -> Any:
    """The same engine, loaded anew: one that was loaded before a fork refuses to run after it."""
    return engine.__wrapped__()


@cache
def voice() -> Any:
    """The English recording of the f5-tts package."""
    from workbench.engine.speech.voices import load_voice

    return load_voice("nature-en")


@cache
def run() -> Path:
    """Folder of a saved run of two chunks with trajectories, a note, a star, and a second take of each, one chosen."""
    from workbench.engine.runs import store
    from workbench.engine.runs.takes import choosing
    from workbench.engine.settings import SynthesisSettings

    chosen = SynthesisSettings(nfe_step=2, max_chunk_bytes=20, keep_trajectory=True)
    with at_home(home()):
        made = engine().run(TEXT, voice(), chosen)
        folder = store.save_run(made)
        store.annotate(made.id, note="a click at 0.3 s", star=True)
        for result in made.chunks:
            choosing.add(made.id, result, words="Other words.", measured={"wer_percent": 3.0})
        choosing.choose(made.id, {1: 2})
    return folder


LONG_TEXT = "One boat is here. Two boats are there. Three more came. Four went away."


def long_settings() -> Any:
    """Settings that cut ``LONG_TEXT`` into four chunks."""
    from workbench.engine.settings import SynthesisSettings

    return SynthesisSettings(nfe_step=2, max_chunk_bytes=20)


@cache
def long_runs() -> tuple[Path, Path, Any]:
    """Folder of a saved run whose chunks are in parts, folder of the same run stopped half-way, and its samples."""
    from workbench.engine import rules
    from workbench.engine.errors import Cancelled
    from workbench.engine.runs import store
    from workbench.engine.runs.parts import making, unfinished

    speaker, usual = engine(), rules.LONG_RUN_CHUNKS

    def stop(progress: Any) -> None:
        if progress.chunk_index == 2:
            raise Cancelled

    with at_home(home()):
        rules.LONG_RUN_CHUNKS = 3  # type: ignore[misc]
        try:
            request = speaker.request(LONG_TEXT, voice(), long_settings())
            made = speaker.fulfil(request, voice(), begin_long=making.begin)
            folder = store.save_run(made)
            unfinished.settled(made.id, made.chunks, folder)
            wave = store.load_run(made.id).wave
            with suppress(Cancelled):
                speaker.fulfil(request, voice(), begin_long=making.begin, on_step=stop)
            (half,) = unfinished.folders()
        finally:
            rules.LONG_RUN_CHUNKS = usual  # type: ignore[misc]
    return folder, half, wave


@cache
def saved_voice() -> Path:
    """Folder of the voice Anna in the library."""
    from workbench.engine.speech.recordings import library

    with at_home(home()):
        return library.keep_voice(voice(), "Anna").path.parent


def copy_home(place: Path) -> Path:
    """``place/home`` as a copy of ``home()`` and of all that was made in it."""
    return Path(shutil.copytree(home(), place / "home", dirs_exist_ok=True))


@contextmanager
def at_home(folder: Path) -> Iterator[None]:
    """Within the block, WORKBENCH_HOME is ``folder``."""
    before = os.environ.get("WORKBENCH_HOME")
    folder.mkdir(parents=True, exist_ok=True)
    os.environ["WORKBENCH_HOME"] = str(folder)
    try:
        yield
    finally:
        os.environ.pop("WORKBENCH_HOME")
        if before is not None:
            os.environ["WORKBENCH_HOME"] = before
