"""Configurations of models and vocoders are data: only listed classes are allowed, and nothing is executed."""

from __future__ import annotations

import ast
import copy
import importlib.util
import inspect
import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import TINY_ARCH, TINY_SPEC, TINY_VOCOS
from workbench.engine import upstream
from workbench.engine.cache import import_model
from workbench.engine.catalog import (
    RELEASED_VOCODER,
    bundled_folder,
    check_model,
    check_vocoder,
    imported_folder,
    read_config,
    read_vocoder,
    templates,
)
from workbench.engine.catalog.configs import ARCHS
from workbench.engine.catalog.vocoders import CLASSES
from workbench.engine.errors import WeightsError, WorkbenchError
from workbench.engine.files.writing import sha256_of
from workbench.engine.model.loading import load
from workbench.engine.settings import LoadSettings, MelConfig

MODEL = {"backbone": "DiT", "arch": TINY_ARCH, "mel_spec": {"target_sample_rate": 24000}}


def change(table: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with the entry at ``path`` set."""
    changed = copy.deepcopy(table)
    *parents, last = path.split("/")
    part = changed
    for name in parents:
        part = part[name]
    part[last] = value
    return changed


@pytest.fixture
def theirs(tiny_folder: Path, tmp_path: Path) -> Path:
    """A user's folder with its own config.yaml and vocoder."""
    folder = Path(shutil.copytree(tiny_folder, tmp_path / "their-voice"))
    (folder / "config.yaml").write_text(yaml.safe_dump({"model": MODEL}))
    return folder


def put_vocoder_config(folder: Path, text: str) -> None:
    """Replace the vocoder's configuration of an imported model as a stranger could: its lock agrees."""
    config, lock = folder / "vocos" / "config.yaml", folder / "lock.json"
    config.write_text(text)
    about = json.loads(lock.read_text())
    about["files"]["vocos/config.yaml"] = {"sha256": sha256_of(config), "size": config.stat().st_size}
    lock.write_text(json.dumps(about))


# Vocoders ------------------------------------------------------------


def _offered(package: str) -> set[str]:
    """Every class, function and import of every module of ``package``, as a class_path could name it.

    Read from the sources: what needs a training's packages is not importable here, and could be elsewhere.
    """
    names: set[str] = set()
    spec = importlib.util.find_spec(package)
    folder = Path(next(iter(spec.submodule_search_locations)))
    for path in folder.rglob("*.py"):
        module = ".".join([package, *path.relative_to(folder).with_suffix("").parts]).removesuffix(".__init__")
        names.add(module)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                names.add(f"{module}.{node.name}")
            elif isinstance(node, ast.Import | ast.ImportFrom):
                names |= {f"{module}.{(alias.asname or alias.name).split('.')[0]}" for alias in node.names}
    return names


@pytest.mark.parametrize("part", list(CLASSES))
def test_of_everything_that_vocos_and_f5_tts_offer_only_the_listed_class_is_built(part: str) -> None:
    listed = CLASSES[part][0]
    offered = _offered("vocos") | _offered("f5_tts")
    assert listed in offered and len(offered) > 200
    assert "vocos.pretrained.instantiate_class" in offered and "vocos.models.Backbone" in offered
    tricks = {f" {listed}", f"{listed} ", listed.upper(), f"{listed}.__init__", "os.system", "builtins.exec", "", "."}
    passed = set()
    for name in offered | tricks:
        try:
            check_vocoder(change(TINY_VOCOS.as_dict(), f"{part}/class_path", name))
            passed.add(name)
        except WeightsError:
            pass
    assert passed == {listed}


def _hostile(mark: Path) -> dict[str, Any]:
    """A configuration that has vocos call os.system."""
    call = {"class_path": "vocos.pretrained.instantiate_class"}
    call |= {"init_args": {"args": f"touch {mark}", "init": {"class_path": "os.system"}}}
    return change(TINY_VOCOS.as_dict(), "feature_extractor", call)


def test_a_vocoder_that_would_run_code_is_refused_at_import_and_at_load(theirs: Path, tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    right = (theirs / "vocos" / "config.yaml").read_text()
    wrong = yaml.safe_dump(_hostile(mark))
    (theirs / "vocos" / "config.yaml").write_text(wrong)
    for start in (import_model, lambda folder: load(TINY_SPEC, LoadSettings(device="cpu"), folder=folder)):
        with pytest.raises(WeightsError, match=r"instantiate_class.*only vocos\.feature_extractors"):
            start(theirs)
    (theirs / "vocos" / "config.yaml").write_text(right)
    spec = import_model(theirs).spec
    put_vocoder_config(imported_folder() / "their-voice", wrong)
    with pytest.raises(WeightsError, match="instantiate_class"):
        load(spec, LoadSettings(device="cpu"))
    assert not mark.exists()


def test_the_lab_never_hands_a_strangers_configuration_to_vocos(theirs: Path, tmp_path: Path) -> None:
    from workbench.lab import files

    import_model(theirs)
    right = (theirs / "vocos" / "config.yaml").read_text()
    put_vocoder_config(imported_folder() / "their-voice", f"# a comment that only the original has\n{right}")
    hub = tmp_path / "hub"
    files.prepare("their-voice", hub)
    given = next(hub.glob("models--charactr*/snapshots/*/config.yaml")).read_text()
    assert yaml.safe_load(given) == TINY_VOCOS.as_dict() and "comment" not in given
    put_vocoder_config(imported_folder() / "their-voice", yaml.safe_dump(_hostile(tmp_path / "was-run")))
    with pytest.raises(WorkbenchError, match="instantiate_class"):
        files.prepare("their-voice", tmp_path / "other-hub")


def test_training_exports_only_what_can_be_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    from training.demo_voice import export

    with pytest.raises(WeightsError, match="ff_mult"):
        export.export_acoustic({}, tmp_path, "x", TINY_ARCH | {"ff_mult": "abc"})
    monkeypatch.setattr(export, "CONFIG", dataclasses.replace(TINY_VOCOS, num_layers=0))
    with pytest.raises(WeightsError, match="num_layers"):
        export.export_vocoder({}, tmp_path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("feature_extractor/init_args/sample_rate", "24000"),
        ("feature_extractor/init_args/sample_rate", True),
        ("feature_extractor/init_args/n_mels", 10**9),
        ("feature_extractor/init_args/n_mels", 80),  # the backbone takes 100
        ("feature_extractor/init_args/hop_length", 0),
        ("feature_extractor/init_args/hop_length", 128),  # the head takes 256
        ("feature_extractor/init_args/padding", "same"),
        ("feature_extractor/init_args/padding", ["center"]),
        ("feature_extractor/init_args/f_min", 0),
        ("feature_extractor/init_args", [1024]),
        ("feature_extractor/extra", 1),
        ("feature_extractor", "vocos.feature_extractors.MelSpectrogramFeatures"),
        ("backbone/init_args/dim", 2.5),
        ("backbone/init_args/dim", 10**12),
        ("backbone/init_args/num_layers", 0),
        ("backbone/init_args/num_layers", None),
        ("backbone/init_args/layer_scale_init_value", "0.1"),
        ("backbone/init_args/layer_scale_init_value", float("nan")),
        ("backbone/init_args/adanorm_num_embeddings", 4),
        ("backbone/class_path", ["vocos.models.VocosBackbone"]),
        ("head/init_args/dim", 17),
        ("head/init_args/n_fft", 1e9),
        ("head/init_args/n_fft", 512),
        ("discriminator", {}),
    ],
)
def test_vocoder_values_out_of_bounds_or_at_odds_are_refused(path: str, value: Any) -> None:
    with pytest.raises(WeightsError) as caught:
        check_vocoder(change(TINY_VOCOS.as_dict(), path, value))
    assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)


def test_released_vocoders_are_read_and_written_as_they_are(tmp_path: Path) -> None:
    assert check_vocoder(RELEASED_VOCODER.as_dict()) == RELEASED_VOCODER
    theirs = yaml.safe_load((bundled_folder() / "vocos" / "config.yaml").read_text())
    assert read_vocoder(bundled_folder() / "vocos" / "config.yaml").as_dict() == theirs
    stated = change(TINY_VOCOS.as_dict(), "backbone/init_args/layer_scale_init_value", 0.125)
    assert check_vocoder(stated).as_dict() == stated


def test_a_vocoder_for_another_mel_spectrogram_is_refused(theirs: Path) -> None:
    config = theirs / "config.yaml"
    config.write_text(yaml.safe_dump({"model": change(MODEL, "mel_spec/hop_length", 240)}))
    with pytest.raises(WeightsError, match="hop_length is 256, the acoustic model's 240"):
        import_model(theirs)
    shutil.rmtree(theirs / "vocos")  # nor does that of the released models fit
    with pytest.raises(WeightsError, match=r"charactr/vocos-mel-24khz.*hop_length is 256, the acoustic model's 240"):
        import_model(theirs)


def test_a_vocoder_whose_weights_are_of_other_sizes_is_refused_at_import(theirs: Path) -> None:
    wrong = change(TINY_VOCOS.as_dict(), "backbone/init_args/num_layers", 2)
    (theirs / "vocos" / "config.yaml").write_text(yaml.safe_dump(wrong))
    with pytest.raises(WorkbenchError, match=r"convnext\.1\.gamma is missing"):
        import_model(theirs)


# Acoustic models ------------------------------------------------------------


def test_every_argument_of_upstreams_backbones_is_known() -> None:
    upstream.install()
    from f5_tts import model as f5

    ours = {"mel_dim", "text_num_embeds"}  # follow from the mel spectrogram and the vocabulary
    for backbone, fields in ARCHS.items():
        parameters = inspect.signature(getattr(f5, backbone).__init__).parameters
        assert set(fields) == set(parameters) - {"self", "dropout"} - ours
        for name, field in fields.items():
            default = parameters[name].default
            assert field.required == (default is inspect.Parameter.empty), name
            assert field.required or field.default == default, name


def test_upstreams_own_configurations_pass() -> None:
    from workbench.engine.catalog import upstream_folder

    for name in templates():
        read_config(upstream_folder() / "configs" / f"{name}.yaml")


@pytest.mark.parametrize(
    ("path", "value", "match"),
    [
        ("backbone", "MMDiT", "MMDiT"),
        ("backbone", ["DiT"], "a list"),
        ("arch", None, "not a table"),
        ("arch/ff_mult", "abc", "ff_mult is 'abc'"),
        ("arch/dim", 10**9, "dim is 1000000000"),
        ("arch/dim", 33, "divisible by 16"),
        ("arch/depth", -1, "depth is -1"),
        ("arch/depth", True, "depth is True"),
        ("arch/heads", 0, "heads is 0"),
        ("arch/dim_head", 2, "dim_head is 2"),
        ("arch/text_dim", 15, "divisible by 2"),
        ("arch/conv_layers", 10**6, "conv_layers"),
        ("arch/qk_norm", "layer", "rms_norm"),
        ("arch/pe_attn_head", 9, "pe_attn_head is 9, with 2 heads"),
        ("arch/text_num_embeds", 5, "unknown entry 'text_num_embeds'"),
        ("arch/sigma", 0.1, "unknown entry 'sigma'"),
        ("arch/attn_backend", "flash_attn", "Write attn_backend: torch"),
        ("arch/text_mask_padding", "yes", "true or false"),
        ("mel_spec/hop_length", 0, "hop_length is 0"),
        ("mel_spec/target_sample_rate", "x", "target_sample_rate is 'x'"),
        ("mel_spec/n_fft", 1e9, "n_fft"),
        ("mel_spec/n_fft", 512, "win_length 1024 and n_fft 512"),
        ("mel_spec/n_mel_channels", [100], "a list"),
        ("mel_spec/mel_spec_type", "bigvgan", "BigVGAN"),
        ("mel_spec/fmin", 0, "unknown entry 'fmin'"),
        ("tokenizer", "byte", "tokenizer byte"),
    ],
)
def test_configurations_that_cannot_run_are_refused_at_import(theirs: Path, path: str, value: Any, match: str) -> None:
    (theirs / "config.yaml").write_text(yaml.safe_dump({"model": change(MODEL, path, value)}))
    with pytest.raises(WeightsError, match=match) as caught:
        import_model(theirs)
    assert "\n" not in str(caught.value) and caught.value.remedy
    assert not list(imported_folder().glob("[!.]*"))


def test_averaging_of_texts_needs_their_padding_masked() -> None:
    arch = TINY_ARCH | {"text_embedding_average_upsampling": True, "text_mask_padding": False}
    with pytest.raises(WeightsError, match="needs text_mask_padding"):
        check_model(change(MODEL, "arch", arch), "it")


def test_the_widest_configuration_takes_no_memory_before_its_weights_are_compared(tmp_path: Path) -> None:
    """Within the bounds, 6 billion parameters: their memory is asked for and never touched."""
    import dataclasses

    import psutil

    from workbench.engine.model.weights import build_cfm

    widest = {name: field.high for name, field in ARCHS["DiT"].items() if field.kind in (int, float)}
    spec = dataclasses.replace(TINY_SPEC, arch=widest | {"depth": 2})
    process = psutil.Process()
    before = process.memory_info().rss
    build_cfm(spec, {" ": 0})
    assert process.memory_info().rss - before < 400e6
    assert MelConfig() == check_model(change(MODEL, "arch", widest), "it")[2]


# YAML ------------------------------------------------------------

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(8)
)


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        "model: " + "[" * 20_000,
        "model: " + "{a: " * 5_000,
        "".join(" " * n + "a:\n" for n in range(300)),
        "- " * 5_000,
        "model: " + "x" * 70_000,
        "model: !!python/object/apply:os.system ['true']",
        "model: !!binary aGVsbG8=",
        "a: 1\n---\na: 2",
        "model: 2001-99-99",
        "model: 0b_",
        "model: 0x" + "f" * 5_000,
        "model: " + "9" * 6_000,
        "model: {[1, 2]: 3}",
        "model: {1: 3}",
        "model: .inf",
        "model: =",
        "model: \x00",
        "\ud800".encode("utf-8", "surrogatepass"),
        b"\xff\xfe\x00",
        "",
        "- 1",
        "{",
        "a: b: c",
        "*a",
    ],
)
def test_yaml_that_is_not_plain_ends_in_one_short_line(tmp_path: Path, text: str | bytes) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for read in (read_config, read_vocoder):
        began = time.perf_counter()
        with pytest.raises(WeightsError) as caught:
            read(path)
        assert len(str(caught.value)) < 500 and "\n" not in str(caught.value)
        assert time.perf_counter() - began < 2


def test_a_folder_a_pipe_and_a_device_are_no_configurations(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path, tmp_path / "pipe.yaml", Path("/dev/zero"), tmp_path / "missing.yaml"):
        with pytest.raises(WeightsError):
            read_config(path)


def test_a_config_of_another_tool_beside_the_weights_does_not_hide_the_reason(theirs: Path) -> None:
    (theirs / "config.yaml").write_text("trainer: !!python/name:os.system ''\n")
    with pytest.raises(WorkbenchError, match=r"The configuration of .* is not stated.*line 1 asks for the type"):
        import_model(theirs)
