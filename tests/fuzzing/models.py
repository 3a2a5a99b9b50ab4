"""Model files: weights, checkpoints, configurations, vocabularies and locks, imported, in the caches, and by folder."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from tests.fuzzing import damage, seeds
from tests.fuzzing.drawing import Source
from tests.fuzzing.kind import Kind, demand, json_command, no_leftovers, one_line, refusable
from workbench.engine import cache
from workbench.engine.catalog import get_model, imported_folder
from workbench.engine.errors import WorkbenchError
from workbench.engine.settings import SynthesisSettings

CANARY = "PWNED"
_SHELL = f"touch {CANARY}"
# what a vocoder's configuration might name instead of Vocos's own parts: Vocos builds whatever stands there
_CLASSES = (
    *("os.system", "subprocess.Popen", "builtins.eval", "builtins.exec", "pathlib.Path", "torch.load"),
    *("vocos.pretrained.instantiate_class", "vocos.pretrained.torch.load", "vocos.pretrained.Vocos.from_pretrained"),
    *(
        "vocos.experiment.VocosExp",
        "vocos.pretrained.nn.Linear",
        "vocos.heads.os.system",
        "vocos.dataset.VocosDataModule",
    ),
    *("vocos.feature_extractors.EncodecFeatures", "vocos.models.VocosResNetBackbone", "vocos.heads.IMDCTSymExpHead"),
    *("vocos.heads", "vocos.", "vocos.heads.Nothing", "x", "", "..", "vocos.heads.ISTFTHead.__init__.__globals__"),
)
_INNER = {"args": _SHELL, "init": {"class_path": "os.system"}}
_ARGUMENTS = (
    {},
    _INNER,
    {"args": [], "init": {"class_path": "x", "init_args": _INNER}},
    {"command": _SHELL},
    {"dim": 16},
)


class _Hostile:
    """Pickles as a call of ``function`` with ``arguments``."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


def _opcodes(source: Source) -> bytes:
    """Short pickles that ask for much: memory, memo slots, depth, or code."""
    random = source.random
    size = random.choice((10**6, 2 * 10**9, 3 * 10**9))
    return random.choice(
        (
            b"\x80\x05\x96" + struct.pack("<Q", size) + b".",  # BYTEARRAY8
            b"\x80\x05\x8e" + struct.pack("<Q", size) + b".",  # BINBYTES8
            b"\x80\x04\x8d" + struct.pack("<Q", size) + b".",  # BINUNICODE8
            b"\x80\x02]r\xff\xff\xff\x7f.",  # LONG_BINPUT
            b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",  # FRAME
            b"\x80\x02" + b"(" * 10**6 + b".",
            b"\x80\x02" + b"]" + b"\x85" * 10**6 + b".",  # a tuple in a tuple ...
            b"\x80\x02" + b"K\x01" * 3 * 10**6 + b".",
            b"\x80\x02" + b"]" + b"2\x86" * 40 + b".",  # doubled with every step
            b"\x80\x02\x8a\xff" + b"\x7f" * 255 + b".",  # LONG1
            b"\x80\x02\x8b" + struct.pack("<i", 2**30) + b".",  # LONG4
            b"I" + b"9" * 10**6 + b"\n.",
            b"cos\nsystem\n(S'" + _SHELL.encode() + b"'\ntR.",
            b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x0b" + _SHELL.encode() + b"\x85R.",
            b"\x80\x02ctorch\nload\n(S'x'\ntR.",
            b'\x80\x02c__builtin__\neval\n(S\'open("PWNED", "w")\'\ntR.',
        )
    )


def _checkpoint(source: Source, good: Path) -> bytes:
    """A .pt of either format: damaged, hostile, or a bomb."""
    import io

    import torch

    random = source.random
    how = random.choice(("bytes", "bytes", "legacy bytes", "opcodes", "legacy opcodes", "hostile", "member"))
    source.note(f"checkpoint: {how}")
    if how == "bytes":
        return damage.in_bytes(random, good.read_bytes())
    if how == "legacy opcodes":
        return _opcodes(source)
    buffer = io.BytesIO()
    if how == "legacy bytes":
        torch.save(torch.load(good, weights_only=True), buffer, _use_new_zipfile_serialization=False)
        return damage.in_bytes(random, buffer.getvalue())
    if how == "hostile":
        call = random.choice(
            (_Hostile(os.system, _SHELL), _Hostile(eval, f"open({CANARY!r}, 'w')"), _Hostile(exec, "1"))
        )
        table = random.choice(({"ema_model_state_dict": {"x": call}}, {"x": call}, call, {call: 1}))
        if random.random() < 0.3:
            return pickle.dumps(table, protocol=random.choice((0, 2, 4)))
        torch.save(table, buffer, _use_new_zipfile_serialization=random.random() < 0.5)
        return buffer.getvalue()
    return _with_member(source, good, _opcodes(source) if how == "opcodes" else None)


def _with_member(source: Source, good: Path, description: bytes | None) -> bytes:
    """The zip of a checkpoint with another data.pkl; None: the pickle's own bytes damaged."""
    import io
    import zipfile

    buffer = io.BytesIO()
    method = source.random.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2))
    with zipfile.ZipFile(good) as old, zipfile.ZipFile(buffer, "w", method) as new:
        for info in old.infolist():
            content = old.read(info)
            if info.filename.endswith("data.pkl"):
                content = damage.in_bytes(source.random, content) if description is None else description
            new.writestr(info.filename, content)
    raw = buffer.getvalue()
    return raw if source.random.random() < 0.7 else damage.in_bytes(source.random, raw)


def _safetensors(source: Source, good: Path) -> bytes:
    """A damaged safetensors file: its header's fields, its bytes, or its numbers."""
    raw = good.read_bytes()
    how = source.random.choice(("header", "header", "bytes", "length", "numbers"))
    source.note(f"safetensors: {how}")
    if how == "bytes":
        return damage.in_bytes(source.random, raw)
    if how == "length":
        return struct.pack("<Q", source.random.choice((0, 1, 10**8, 10**8 + 1, 2**40, 2**64 - 1))) + raw[8:]
    header, data = damage.safetensors_parts(raw)
    if how == "numbers":
        odd = source.random.choice((np.nan, np.inf, 3e38, 0.0, 1e-40))
        return raw[: -len(data)] + np.full(len(data) // 4, odd, np.float32).tobytes().ljust(len(data), b"\0")
    return damage.safetensors_with(damage.in_json(source, header), data)


def _spoil(source: Source, folder: Path) -> None:
    """Damage one or two files of a model."""
    files = [p for p in sorted(folder.rglob("*")) if p.is_file()]
    for path in source.random.sample(files, source.random.choice((1, 1, 1, 2))):
        source.note(str(path.relative_to(folder)))
        path.write_bytes(_spoiled(source, path))


def _spoiled(source: Source, path: Path) -> bytes:
    if path.suffix == ".safetensors":
        return _safetensors(source, path)
    if path.suffix in (".pt", ".bin"):
        return _checkpoint(source, path)
    if path.parent.name == "vocos" and source.random.random() < 0.5:
        return _other_parts(source, yaml.safe_load(path.read_text("utf-8")))
    if path.suffix == ".yaml" and source.random.random() < 0.8:
        return damage.in_yaml(source, yaml.safe_load(path.read_text("utf-8")))
    if path.suffix == ".json" and source.random.random() < 0.8:
        return damage.in_json(source, json.loads(path.read_text("utf-8")))
    return damage.in_bytes(source.random, path.read_bytes())


def _other_parts(source: Source, document: dict[str, Any]) -> bytes:
    """A vocoder's configuration that names other classes than Vocos's own, with arguments of theirs or of any kind."""
    part = source.random.choice((*document, "more"))
    name = source.random.choice((*_CLASSES, "vocos.pretrained.instantiate_class", "vocos.pretrained.instantiate_class"))
    own = document.get(part, {}).get("init_args", {})
    arguments = source.random.choice((*_ARGUMENTS, _INNER, own))
    source.note(f"{part} is {name}({arguments})")
    document[part] = {"class_path": name, "init_args": arguments}
    return yaml.safe_dump(document).encode()


class Models(Kind):
    """Damaged and hostile model files."""

    name = "models"
    about = "damaged models: import, verify, load and speak; in the caches beside a good one; by folder"

    def prepare(self, folder: Path) -> None:
        for suffix in (".safetensors", ".pt"):
            self._check_checkpoint(seeds.model(suffix))
        seeds.home()
        seeds.voice().mel  # noqa: B018  computed once, here
        seeds.engine()

    @staticmethod
    def _check_checkpoint(folder: Path) -> None:
        """The damaged copies must begin from files that are whole."""
        demand(list(folder.glob("model_random.*")), "no weights were made")

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
        demand(cache.resolve(get_model("tiny")).weights.is_file() or way is _in_place, "the good model is gone")


def _their_model(source: Source, place: Path, *, spoilt: bool = True) -> Path:
    """A stranger's model folder, its files damaged."""
    theirs = Path(shutil.copytree(seeds.model(source.random.choice((".safetensors", ".pt"))), place / "theirs"))
    if source.random.random() < 0.3:  # a vocoder in the other format
        import torch
        from safetensors.torch import save_file

        old = theirs / "vocos" / "pytorch_model.bin"
        save_file(torch.load(old, weights_only=True), old.with_name("model.safetensors"))
        old.unlink()
    if spoilt:
        _spoil(source, theirs)
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
    _spoil(source, imported_folder() / "odd")
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
    from workbench.engine import exports
    from workbench.engine.synthesis import load_engine

    engine = load_engine(name, folder=folder, device="cpu", dtype="fp32")
    run = engine.run(seeds.TEXT, seeds.voice(), SynthesisSettings(nfe_step=1))
    exports.wav(run)


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
