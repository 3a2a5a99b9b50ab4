"""Checkpoints of every shape: EMA, raw or both, whatever they are wrapped in; which is taken is said everywhere."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from tests.conftest import TINY_ARCH, TINY_SPEC
from workbench.cli.parts.commands import app
from workbench.engine.cache import import_model, inventory, resolve
from workbench.engine.cache.headers import TensorInfo
from workbench.engine.cache.imports.contents import read_contents
from workbench.engine.cache.imports.weights.layers import ACOUSTIC, EMA_SETTLED_UPDATES, sort_layers
from workbench.engine.catalog import imported_folder
from workbench.engine.errors import ImportRefused, SettingsError, WeightsError
from workbench.engine.model.loading import load
from workbench.engine.model.weights import acoustic_state, read_vocab
from workbench.engine.settings import LoadSettings

CPU = LoadSettings(device="cpu", dtype="fp32")
State = dict[str, Any]


@pytest.fixture(scope="module")
def ema(tiny_folder: Path) -> State:
    """Weights under the model's own names: transformer.*"""
    state = load_file(tiny_folder / "model_random.safetensors")
    return {name.removeprefix("ema_model."): value for name, value in state.items()}


@pytest.fixture(scope="module")
def raw(ema: State) -> State:
    """Other values than ``ema``."""
    return {name: value * 0.9 for name, value in ema.items()}


@pytest.fixture
def folder(tiny_folder: Path, tmp_path: Path) -> Path:
    """A user's folder with everything but weights."""
    mine = Path(shutil.copytree(tiny_folder, tmp_path / "mine"))
    (mine / "model_random.safetensors").unlink()
    model = {"backbone": "DiT", "arch": TINY_ARCH, "mel_spec": {"target_sample_rate": 24_000}}
    (mine / "config.yaml").write_text(yaml.safe_dump({"model": model}))
    return mine


def named(prefix: str, state: State) -> State:
    return {prefix + name: value for name, value in state.items()}


def bare(state: State) -> State:
    """Of the backbone alone."""
    return {name.removeprefix("transformer."): value for name, value in state.items()}


def within(word: str, state: State) -> State:
    """With ``word`` inside of each name, as wrappers of parts of a model leave it."""
    return {name.replace("transformer_blocks.0.", f"transformer_blocks.0.{word}."): v for name, v in state.items()}


EXTRA = {"initted": torch.tensor(True), "step": torch.tensor(1_200_000)}
MEL = {"mel_spec.mel_stft.mel_scale.fb": torch.ones(4, 4), "mel_spec.mel_stft.spectrogram.window": torch.ones(8)}
MEL_WINDOW = torch.ones(8)
ADAM = {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.ones(7)}}, "param_groups": [{"lr": 1e-4}]}

EMA_ONLY: dict[str, Callable[[State], State]] = {
    "as upstream's trainer": lambda e: {"ema_model_state_dict": EXTRA | named("ema_model.", e | MEL)},
    "flat": lambda e: named("ema_model.", e) | EXTRA,
    "the names without their prefix": lambda e: {"ema_model_state_dict": e},
    "ema first, then module": lambda e: {"ema_model_state_dict": named("ema_model.module.", e)},
    "module first, then ema": lambda e: named("module.ema_model.", e),
    "compiled": lambda e: named("_orig_mod.ema_model._orig_mod.", e),
    "tables in tables": lambda e: {"checkpoint": {"ema": {"model": e}}},
    "the backbone alone": lambda e: {"model_ema": bare(e)},
    "transformer before the rest": lambda e: named("transformer.module.ema_model.", e),
    "an averaged model of PyTorch": lambda e: {"swa_model": named("module.", e) | {"n_averaged": torch.tensor(9)}},
    "a shadow": lambda e: {"ema": {"shadow": e}},
    "a list of averages": lambda e: named("ema_models.0.", e),
    "state_dict of a training module": lambda e: {"state_dict": named("ema_model.", e), "epoch": 3},
}
RAW_ONLY: dict[str, Callable[[State], State]] = {
    "bare": lambda r: r,
    "model_state_dict": lambda r: {"model_state_dict": r | MEL, "optimizer_state_dict": ADAM, "update": 900_000},
    "state_dict": lambda r: {"state_dict": r},
    "model": lambda r: {"model": r, "epoch": 7, "args": {"lr": 0.1}},
    "module": lambda r: named("module.", r),
    "compiled and distributed": lambda r: {"model": named("module._orig_mod.", r)},
    "compiled in part": lambda r: {"state_dict": within("_orig_mod", r)},
    "sharded in part": lambda r: within("_fsdp_wrapped_module", named("_fsdp_wrapped_module.", r)),
    "checkpointed in part": lambda r: {"net": within("_checkpoint_wrapped_module", r)},
    "the backbone alone": lambda r: {"model": named("module.", bare(r))},
    "online model": lambda r: named("online_model.", r),
    "a prefix that nobody knows": lambda r: named("student.", r),
    "with a flat optimizer": lambda r: r | {"optimizer.state.0.exp_avg": torch.ones(7), "mel_stft.window": MEL_WINDOW},
    "a table that nobody knows": lambda r: {"best_so_far": r, "optimizer": ADAM},
}
BOTH: dict[str, Callable[[State, State], State]] = {
    "as upstream's trainer": lambda e, r: {
        "model_state_dict": r,
        "optimizer_state_dict": ADAM,
        "ema_model_state_dict": EXTRA | named("ema_model.", e),
        "scheduler_state_dict": {"last_epoch": 4},
        "update": 1_200_000,
    },
    "EMA with its online model": lambda e, r: {
        "ema_model_state_dict": EXTRA | named("ema_model.", e) | named("online_model.", r)
    },
    "flat": lambda e, r: named("ema_model.", e) | named("model.", r),
    "raw first": lambda e, r: {"model": named("module.", r), "ema": named("module.", e)},
    "compiled": lambda e, r: {"state_dict": named("_orig_mod.", r), "ema_state_dict": named("_orig_mod.", e)},
    "both under the names of EMA": lambda e, r: {
        "model_state_dict": named("ema_model.", r),
        "ema_model_state_dict": named("ema_model.", e),
    },
    "an average under a word that nobody knows": lambda e, r: {"state_dict": r, "ema": {"slow_copy": e}},
    "a training module": lambda e, r: {"state_dict": named("model.", r) | named("ema_model.", e)},
}


def is_flat(state: State) -> bool:
    return all(isinstance(value, torch.Tensor) for value in state.values())


def written(folder: Path, state: State, suffix: str) -> Path:
    path = folder / f"model_mine{suffix}"
    if suffix == ".safetensors":
        save_file({name: value.contiguous() for name, value in state.items()}, path)
    else:
        torch.save(state, path)
    return path


def speaks_with(loaded: Any, state: State) -> bool:
    """Whether these are the weights in memory."""
    return same(loaded.cfm.state_dict(), state)


def same(ours: State, theirs: State) -> bool:
    return ours.keys() == theirs.keys() and all(torch.equal(ours[n].float(), theirs[n].float()) for n in ours)


def read(spec: Any, wanted: str = "auto") -> tuple[str, State]:
    """What the loader gives to the model, without building it."""
    files = resolve(spec)
    return acoustic_state(spec, files.weights, wanted, read_vocab(files.vocab), files.vocab.name)


def taken(folder: Path, state: State, want: State, kind: str) -> Any:
    """Import and read what ``state`` holds; ``want`` must be taken, and that must be said."""
    written(folder, state, ".pt")
    report = import_model(folder, name="mine")
    found, ours = read(report.spec)
    assert report.spec.layer == found == kind and same(ours, want)
    return report


@pytest.mark.parametrize("shape", EMA_ONLY)
def test_ema_alone(folder: Path, ema: State, shape: str) -> None:
    report = taken(folder, EMA_ONLY[shape](ema), ema, "ema")
    assert report.spec.layers == ("ema",) and report.notes[0].startswith("EMA weights only")
    assert ("names of raw ones" in report.notes[0]) == (shape == "the names without their prefix")


@pytest.mark.parametrize("shape", RAW_ONLY)
def test_raw_alone(folder: Path, raw: State, shape: str) -> None:
    report = taken(folder, RAW_ONLY[shape](raw), raw, "raw")
    assert report.spec.layers == ("raw",) and report.notes[0] == "raw weights only."


@pytest.mark.parametrize("shape", BOTH)
def test_both_and_either_can_be_asked_for(folder: Path, ema: State, raw: State, shape: str) -> None:
    state = BOTH[shape](ema, raw)
    report = taken(folder, state, ema, "ema")
    assert report.spec.layers == ("ema", "raw") and "EMA taken" in report.notes[0]
    kind, other = read(report.spec, "raw")
    assert kind == "raw" and same(other, raw), "the import keeps both"
    manifest = json.loads((imported_folder() / "mine" / "lock.json").read_text())
    assert manifest["layers"] == ["ema", "raw"] and manifest["layer"] == "ema"


@pytest.mark.parametrize("shape", [n for n, make in (EMA_ONLY | RAW_ONLY).items() if is_flat(make({}))])
def test_safetensors_hold_the_same_shapes(folder: Path, ema: State, shape: str) -> None:
    kind = "ema" if shape in EMA_ONLY and shape != "the backbone alone" else "raw"
    written(folder, (EMA_ONLY if kind == "ema" else RAW_ONLY)[shape](ema), ".safetensors")
    loaded = load(TINY_SPEC, CPU, folder=folder)
    assert loaded.layer == kind and speaks_with(loaded, ema)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors", ".ckpt", ".bin"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_in_any_suffix(folder: Path, raw: State, suffix: str, dtype: Any) -> None:
    half = {name: value.to(dtype) for name, value in raw.items()}
    written(folder, named("module.", half), suffix)
    loaded = load(TINY_SPEC, CPU, folder=folder)
    assert loaded.layer == "raw" and speaks_with(loaded, half)


def test_raw_can_be_taken_at_the_import_and_ema_asked_for_later(folder: Path, ema: State, raw: State) -> None:
    written(folder, BOTH["flat"](ema, raw), ".safetensors")
    report = import_model(folder, name="mine", weights="raw")
    assert speaks_with(load(report.spec, CPU), raw) and "raw taken" in report.notes[0]
    assert speaks_with(load(report.spec, CPU.replace(weights="ema")), ema)


def test_ema_that_is_not_complete_gives_way_to_raw(folder: Path, ema: State, raw: State) -> None:
    part = dict(list(ema.items())[3:])
    report = taken(folder, BOTH["as upstream's trainer"](part, raw), raw, "raw")
    assert "lack 3 tensors" in report.notes[0] and "raw taken" in report.notes[0]


@pytest.mark.parametrize(("there", "asked"), [("ema", "raw"), ("raw", "ema")])
def test_what_is_not_there_is_refused_by_name(folder: Path, ema: State, there: str, asked: str) -> None:
    written(folder, (EMA_ONLY if there == "ema" else RAW_ONLY)["the backbone alone"](ema), ".pt")
    words = {"ema": "EMA", "raw": "raw"}
    says = f"model_mine.pt holds no {words[asked]} weights, only {words[there]} weights. Choose --weights {there}"
    with pytest.raises(WeightsError, match=says):
        import_model(folder, name="mine", weights=asked)
    assert not list(imported_folder().glob("*"))
    with pytest.raises(WeightsError, match=says):
        load(TINY_SPEC, CPU.replace(weights=asked), folder=folder)
    with pytest.raises(SettingsError, match=r"weights is 'best'.*auto, ema, raw"):
        import_model(folder, name="mine", weights="best")


COUNTED = {
    "the run's own count": ({"update": 40}, {}, 40),
    "an older trainer's": ({"step": 700}, {}, 700),
    "a short run from a model long trained": ({"update": 40}, {"step": torch.tensor(1_250_000)}, 40),
    "that of the EMA": ({}, {"step": torch.tensor(120)}, 120),
    "one in a list": ({}, {"step": torch.tensor([99])}, 99),
    "32 bits": ({}, {"step": torch.tensor(5_000, dtype=torch.int32)}, 5_000),
    "enough": ({"update": EMA_SETTLED_UPDATES}, {}, None),
    "not said": ({}, {}, None),
}


@pytest.mark.parametrize("case", COUNTED)
def test_an_average_of_few_updates_is_said(folder: Path, ema: State, raw: State, case: str) -> None:
    top, inner, n_updates = COUNTED[case]
    written(folder, {"ema_model_state_dict": inner | ema, "model_state_dict": raw} | top, ".pt")
    said = import_model(folder, name="mine").notes[0]
    assert ("average only" in said) == (n_updates is not None)
    assert n_updates is None or (f"only {n_updates:,} updates" in said and "--weights raw" in said)


def test_few_updates_are_read_from_safetensors_too(folder: Path, ema: State) -> None:
    path = written(folder, named("ema_model.", ema) | {"ema_model.step": torch.tensor(77)}, ".safetensors")
    assert read_contents(path).layers.n_updates == 77
    save_file(ema, path, metadata={"update": "31"})
    assert read_contents(path).layers.n_updates == 31


# Refusals ------------------------------------------------------------


def refused_at_both_doors(folder: Path, match: str) -> None:
    with pytest.raises(ImportRefused, match=match) as caught:
        import_model(folder, name="mine")
    assert "\n" not in str(caught.value) and not list(imported_folder().glob("*")), "something was left behind"
    with pytest.raises(WeightsError, match=match):
        load(TINY_SPEC, CPU, folder=folder)


def with_rows(state: State, n_rows: int) -> State:
    name = "transformer.text_embed.text_embed.weight"
    return state | {name: torch.ones(n_rows, state[name].shape[1])}


@pytest.mark.parametrize(
    ("n_rows", "likely"),
    [
        (2546, r"F5TTS_v1_Base \(Emilia_ZH_EN_pinyin\), which f5_tts carries, has 2545"),
        (4, "old_vocab.txt in mine has 3"),
        (257, "tokenizer 'byte'"),
        (1234, "with 1233 lines"),
        (6, "notes.txt in mine has 5"),
    ],
)
def test_another_vocabulary_is_refused_with_both_sizes_and_the_likely_file(
    folder: Path, ema: State, n_rows: int, likely: str
) -> None:
    (folder / "old_vocab.txt").write_text(" \na\nb\n")
    (folder / "notes.txt").write_text(" \na\nb\nc\nd\n")
    written(folder, {"ema_model_state_dict": with_rows(ema, n_rows)}, ".pt")
    refused_at_both_doors(folder, rf"trained with {n_rows - 1} tokens, but vocab\.txt has 74 .*{likely}")


def test_the_vocabulary_of_a_model_in_the_cache_is_named(folder: Path, ema: State) -> None:
    written(folder, ema, ".safetensors")
    (folder / "vocab.txt").write_text(" \na\n")
    refused_at_both_doors(folder, "but vocab.txt has 2 .*the one of demo-voice has 74")


def test_another_architecture_names_what_it_is_likely_to_be(folder: Path) -> None:
    from workbench.engine import upstream
    from workbench.engine.catalog import template

    upstream.install()
    from f5_tts import model as f5

    backbone, arch, mel = template("F5TTS_v1_Small")
    with torch.device("meta"):
        module = getattr(f5, backbone)(**arch, text_num_embeds=2545, mel_dim=mel.n_mel_channels)
    shapes = {f"ema_model.transformer.{name}": tuple(v.shape) for name, v in module.state_dict().items()}
    write_sparse(folder / "model_mine.safetensors", shapes)
    refused_at_both_doors(
        folder, "another architecture than .*dim is 768, not 32.*F5TTS_Small or F5TTS_v1_Small or F5TTS_Small_hi"
    )


def write_sparse(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """A safetensors file of zeros that takes no room on the disk."""
    import math
    import struct

    table, end = {}, 0
    for name, shape in shapes.items():
        size = 4 * math.prod(shape)
        table[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    header = json.dumps(table).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + end)


@pytest.mark.parametrize(
    "foreign", ["speaker_encoder.weight", "transformer.extra.weight", "duration.proj.bias", "transformer.lora.a", "emb"]
)
def test_tensors_that_no_such_model_has_are_refused(folder: Path, ema: State, foreign: str) -> None:
    written(folder, {"model_state_dict": ema | {foreign: torch.ones(3, 3)}}, ".pt")
    known = "foreign, such as"
    with pytest.raises((ImportRefused, WeightsError), match=known):
        load(import_model(folder, name="mine").spec, CPU)


def test_several_models_without_a_word_that_tells_are_refused(folder: Path, ema: State, raw: State) -> None:
    written(folder, {"teacher": ema, "student": raw}, ".pt")
    with pytest.raises(WeightsError, match=r"model_mine.pt: It holds 2 models: teacher, student"):
        import_model(folder, name="mine")
    assert not list(imported_folder().glob("*"))


def test_a_file_that_holds_the_same_table_twice_is_read_once(folder: Path, ema: State) -> None:
    taken(folder, {"model": ema, "state_dict": ema}, ema, "raw")


def test_a_teacher_beside_known_weights_is_left_alone(folder: Path, ema: State, raw: State) -> None:
    taken(folder, {"teacher": raw | {"transformer.more.weight": torch.ones(2)}, "state_dict": ema}, ema, "raw")
    shutil.rmtree(imported_folder() / "mine")
    bigger = raw | {"transformer.transformer_blocks.7.attn.to_q.weight": torch.ones(2, 2)}
    taken(folder, {"teacher": bigger, "ema_model_state_dict": ema}, ema, "ema")


def test_rotary_frequencies_that_were_left_out_are_computed(folder: Path, ema: State, raw: State) -> None:
    part = {name: value for name, value in ema.items() if ".rotary_embed." not in name}
    assert len(part) < len(ema)
    written(folder, {"ema_model_state_dict": part, "model_state_dict": raw}, ".pt")
    loaded = load(import_model(folder, name="mine").spec, CPU)
    assert loaded.layer == "ema" and torch.equal(
        loaded.cfm.state_dict()["transformer.rotary_embed.inv_freq"], ema["transformer.rotary_embed.inv_freq"]
    )


def test_sorting_takes_linear_time(ema: State) -> None:
    many = {f"a{n}.b.c": TensorInfo("F32", (2,), 8) for n in range(50_000)}
    known = {name: TensorInfo("F32", tuple(value.shape), 4) for name, value in named("module.", ema).items()}
    assert sort_layers(many | known, ACOUSTIC).kinds == ("raw",)


# Said wherever it matters ------------------------------------------------------------


def test_the_vocoder_comes_in_any_wrapping_too(folder: Path, ema: State) -> None:
    written(folder, ema, ".pt")
    path = folder / "vocos" / "pytorch_model.bin"
    state = torch.load(path)
    torch.save({"state_dict": named("generator.", state), "optimizer": ADAM}, path)
    wrapped = load(import_model(folder, name="mine").spec, CPU)
    assert all(torch.equal(wrapped.vocoder.state_dict()[name], value) for name, value in state.items())


def test_the_command_line_says_what_is_there_and_taken(folder: Path, ema: State, raw: State) -> None:
    written(folder, BOTH["as upstream's trainer"](ema, raw), ".pt")
    said = CliRunner().invoke(app, ["cache", "import", str(folder), "--name", "mine", "--weights", "raw"])
    assert said.exit_code == 0 and "EMA and raw weights; raw taken" in said.output
    listed = json.loads(CliRunner().invoke(app, ["cache", "ls", "--json"]).output)
    mine = next(m for m in listed["models"] if m["model"] == "mine")
    assert mine["weights"] == {"there": ["ema", "raw"], "taken": "raw"}
    assert "raw (ema too)" in CliRunner().invoke(app, ["cache", "ls"]).output
    stock = next(s for s in inventory() if s.model == "demo-voice")
    assert stock.layers[1] in ("ema", "raw"), "a model that was not imported tells it by its file"


def test_runs_keep_and_show_it_and_a_rerun_speaks_with_the_same(folder: Path, ema: State, raw: State) -> None:
    written(folder, BOTH["as upstream's trainer"](ema, raw), ".pt")
    import_model(folder, name="mine")
    runner = CliRunner()
    words = ["synth", "Hello there, friend.", "-m", "mine", "--nfe-step", "1", "--device", "cpu", "--json"]
    runs = {}
    for kind in ("auto", "raw"):
        done = runner.invoke(app, [*words, "--weights", kind, "--out", str(folder / f"{kind}.wav")])
        assert done.exit_code == 0, done.output
        runs[kind] = json.loads(done.stdout)
    assert runs["auto"]["weights"]["layer"] == "ema" and runs["raw"]["weights"]["layer"] == "raw"
    assert runs["raw"]["request"]["load"]["weights"] == "raw"
    assert (folder / "auto.wav").read_bytes() != (folder / "raw.wav").read_bytes()
    assert "mine, raw weights as" in runner.invoke(app, ["runs", "show", runs["raw"]["id"]]).output
    manifest = imported_folder() / "mine" / "lock.json"  # another choice since
    manifest.write_text(manifest.read_text().replace('"layer": "ema"', '"layer": "raw"'))
    for run in runs.values():
        assert runner.invoke(app, ["runs", "rerun", run["id"]]).exit_code == 0, "the weights of the run, not of today"
    written(folder, {"model_state_dict": raw}, ".pt")
    again = json.loads(
        runner.invoke(app, ["runs", "rerun", runs["auto"]["id"], "--folder", str(folder), "--json"]).stdout
    )
    assert not again["same"]
    assert {"what": "EMA or raw weights", "then": "ema", "now": "raw"} in again["differs"]
