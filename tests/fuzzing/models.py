"""Model files: weights, checkpoints, configurations, vocabularies and manifests, imported, in caches and by folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from tests.fuzzing import damage, seeds
from tests.fuzzing.drawing import Source
from tests.fuzzing.kind import Kind, demand, json_command, no_leftovers, one_line, refusable
from tests.fuzzing.model_files import CANARY, spoil
from workbench.engine import cache
from workbench.engine.catalog import get_model, imported_folder
from workbench.engine.errors import WorkbenchError
from workbench.engine.settings import SynthesisSettings


class Models(Kind):
    """Damaged and hostile model files."""

    name = "models"
    about = "damaged models: import, verify, load and speak; in the caches beside a good one; by folder"

    def prepare(self, folder: Path) -> None:
        seeds.model(".pt")
        seeds.home()
        seeds.voice().mel  # noqa: B018  computed once, here
        seeds.engine()

    def check(self, source: Source, place: Path) -> None:
        home = seeds.copy_home(place)
        way = source.random.choice((_import, _import, _import, _in_place, _by_folder, _in_hub_cache))
        source.note(way.__name__)
        try:
            way(source, place)
            _lists(source)
        finally:
            demand(not list(place.rglob(CANARY)), "code from the files was run")
        no_leftovers(home)
        demand(cache.resolve(get_model("tiny")).weights.is_file(), "the good model is gone")


def _their_model(source: Source, place: Path) -> Path:
    """A stranger's model folder, its files damaged."""
    theirs = Path(shutil.copytree(seeds.model(source.random.choice((".safetensors", ".pt"))), place / "theirs"))
    if source.random.random() < 0.3:  # a vocoder in the other format
        import torch
        from safetensors.torch import save_file

        old = theirs / "vocos" / "pytorch_model.bin"
        save_file(torch.load(old, weights_only=True), old.with_name("model.safetensors"))
        old.unlink()
    spoil(source, theirs)
    return theirs


def _import(source: Source, place: Path) -> None:
    """Import it; what was taken in must verify, load and speak, or say why not."""
    theirs = _their_model(source, place)
    weights = next(theirs.glob("model_random.*"))
    given = source.random.choice((theirs, theirs, weights))
    with refusable():
        try:
            cache.import_model(given, name="odd")
        except WorkbenchError:
            demand(not (imported_folder() / "odd").exists(), "refused, but something was taken in")
            raise
        demand(cache.verify("odd").ok, "an import does not verify")
        cache.resolve(get_model("odd"))
        _speak("odd")


def _in_place(source: Source, place: Path) -> None:
    """Files that were damaged after their import."""
    shutil.copytree(imported_folder() / "tiny", imported_folder() / "odd")
    lock = imported_folder() / "odd" / "lock.json"
    lock.write_text(lock.read_text("utf-8").replace('"tiny"', '"odd"'), "utf-8")
    spoil(source, imported_folder() / "odd")
    with refusable():
        cache.verify("odd")
    with refusable():
        cache.plan_delete("odd")
    with refusable():
        _speak("odd")


def _by_folder(source: Source, place: Path) -> None:
    """Files that are loaded where they lie."""
    theirs = _their_model(source, place)
    with refusable():
        _speak("tiny", theirs)


def _in_hub_cache(source: Source, place: Path) -> None:
    """Odd files in a cache in the Hugging Face layout, the user's own or the project's."""
    from workbench.engine.cache.paths import hub_root, user_hub_root

    root = source.random.choice((hub_root(), user_hub_root()))
    theirs = _their_model(source, place)
    weights = next((p for p in sorted(theirs.glob("model_random.*"))), None)
    spec = get_model("F5TTS_v1_Base")
    commit = "0123456789abcdef0123456789abcdef01234567"
    for repo, files in (
        (spec.repo, {spec.weights: weights}),
        (spec.vocoder_repo, {f"{name}": theirs / "vocos" / name for name in ("config.yaml", "pytorch_model.bin")}),
    ):
        snapshot = root / ("models--" + str(repo).replace("/", "--")) / "snapshots" / commit
        for name, path in files.items():
            if path is not None and path.is_file():
                (snapshot / str(name)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, snapshot / str(name))
    if source.random.random() < 0.3:
        refs = root / ("models--" + str(spec.repo).replace("/", "--")) / "refs"
        refs.mkdir(exist_ok=True)
        (refs / "main").write_bytes(source.random.choice(damage.JUNK))
    for act in (cache.verify, lambda name: cache.resolve(get_model(name)), cache.plan_delete):
        with refusable():
            act("F5TTS_v1_Base")


def _speak(name: str, folder: Path | None = None) -> None:
    """Load the model and say something with it."""
    from workbench.engine.runs import exports
    from workbench.engine.speech.synthesis import load_engine

    engine = load_engine(name, folder=folder, device="cpu", dtype="fp32")
    run = engine.run(seeds.TEXT, seeds.voice(), SynthesisSettings(nfe_step=1))
    exports.get("wav").make(run)


def _lists(source: Source) -> None:
    """Lists show the good model and one line for whatever is wrong with the other."""
    stocks = {stock.model: stock for stock in cache.inventory()}
    demand(stocks["tiny"].state == "complete", f"the good model is {stocks['tiny'].state}")
    for stock in stocks.values():
        for problem in stock.problems:
            one_line(problem)
    if source.random.random() < 0.2:
        document = json_command(source.random.choice((["models"], ["cache", "ls"])))
        demand("tiny" in json.dumps(document), "the good model is not listed")
