"""import_model(): every common layout is imported."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import yaml

from tests.engine.cache.conftest import weights_of
from tests.engine.cache.hub_server import COMMIT
from workbench.engine.cache import import_model, inventory, plan_delete, read_checkpoint, read_header, resolve, verify
from workbench.engine.cache.imports.weights.architecture import contradictions, describe
from workbench.engine.catalog import bundled_folder, get_model, imported_folder, list_models, packaged_vocab, template
from workbench.engine.errors import WeightsError


def test_a_folder_with_its_vocoder_becomes_a_model(theirs: Path, config: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    report = import_model(
        theirs, config=config, license="cc0-1.0", languages=("en",), on_progress=lambda *s: seen.append(s)
    )
    spec = get_model("MY-voice")
    assert spec == report.spec and (spec.kind, spec.license, spec.languages) == ("imported", "cc0-1.0", ("en",))
    files = resolve(spec)
    assert files.weights.read_bytes() == weights_of(theirs).read_bytes()
    assert files.vocoder_weights.parent == imported_folder() / "my-voice" / "vocos"
    assert verify("my-voice").ok and seen[-1][1] == seen[-1][2] == report.bytes
    assert next(s for s in inventory() if s.model == "my-voice").state == "complete"


def test_an_import_is_loaded_by_the_real_loader(theirs: Path, config: Path) -> None:
    from workbench.engine.model.loading import load
    from workbench.engine.settings import LoadSettings

    assert load(import_model(theirs, config=config).spec, LoadSettings(device="cpu")).spec.name == "my-voice"


def test_the_demo_voices_own_layout_names_its_configuration(tmp_path: Path) -> None:
    report = import_model(bundled_folder(), name="second-demo")
    assert report.spec.arch == get_model("demo-voice").arch
    assert any("config.yaml beside the weights" in note for note in report.notes)
    assert resolve(report.spec).weights.read_bytes() == resolve(get_model("demo-voice")).weights.read_bytes()


def test_comfyui_layout(theirs: Path, config: Path, tmp_path: Path) -> None:
    flat = tmp_path / "models" / "checkpoints" / "F5-TTS"
    flat.mkdir(parents=True)
    shutil.copy(weights_of(theirs), flat / "Suomi.safetensors")
    shutil.copy(theirs / "vocab.txt", flat / "Suomi.txt")
    (flat / "vocab.txt").write_text("wrong\n")  # another model's; the weights' own name decides
    report = import_model(flat / "Suomi.safetensors", config=config)
    assert report.spec.name == "Suomi" and report.spec.vocoder_repo is not None
    assert any("charactr/vocos-mel-24khz" in note for note in report.notes)
    with pytest.raises(WeightsError, match="vocoder"):  # none in any cache of this test
        resolve(report.spec)
    plan_delete("Suomi").execute()
    report = import_model(tmp_path / "models", config=config, vocoder=theirs / "vocos")
    assert resolve(report.spec).vocoder_config.is_file()


def test_bare_checkpoint_of_the_trainer(theirs: Path, config: Path, tmp_path: Path) -> None:
    import torch
    from safetensors.torch import load_file

    folder = tmp_path / "ckpts" / "my_finetune"
    folder.mkdir(parents=True)
    state = load_file(weights_of(theirs))
    torch.save(
        {
            "ema_model_state_dict": state | {"initted": torch.tensor(True), "step": torch.tensor(9)},
            "model_state_dict": state,
            "update": 9,
            "optimizer_state_dict": torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2))]).state_dict(),
        },
        folder / "model_last.pt",
    )
    shutil.copy(theirs / "vocab.txt", folder)
    report = import_model(tmp_path / "ckpts", config=config, vocoder=theirs / "vocos", name="mine")
    assert any("optimizer state" in note for note in report.notes)
    assert resolve(report.spec).weights.name == "model_last.pt"
    checkpoint = read_checkpoint(folder / "model_last.pt")
    assert checkpoint.has_optimizer
    expected = read_header(weights_of(theirs))
    assert {k: checkpoint.header.tensors[f"ema_model_state_dict/{k}"] for k in expected.tensors} == expected.tensors


def hub_layout(root: Path, theirs: Path) -> Path:
    """The user's files as a download into a Hugging Face cache lies, links included."""
    repo = root / "models--someone--their-voice"
    snapshot = repo / "snapshots" / COMMIT
    for folder in (snapshot, repo / "blobs", repo / "refs"):
        folder.mkdir(parents=True)
    (repo / "refs" / "main").write_text(COMMIT)
    for number, path in enumerate((weights_of(theirs), theirs / "vocab.txt")):
        shutil.copy(path, repo / "blobs" / f"{number:064}")
        (snapshot / path.name).symlink_to(f"../../blobs/{number:064}")
    return repo


@pytest.mark.parametrize("level", ["cache", "repository", "snapshot"])
def test_hub_layout_at_any_level(theirs: Path, config: Path, tmp_path: Path, level: str) -> None:
    repo = hub_layout(tmp_path / "hub", theirs)
    path = {"cache": repo.parent, "repository": repo, "snapshot": repo / "snapshots" / COMMIT}[level]
    report = import_model(path, config=config, name="theirs", vocoder=theirs / "vocos")
    copied = resolve(report.spec).weights
    assert copied.read_bytes() == weights_of(theirs).read_bytes() and not copied.is_symlink()


@pytest.mark.parametrize("suffix", ["zip", "tar", "tar.gz"])
def test_archives(theirs: Path, config: Path, tmp_path: Path, suffix: str) -> None:
    kind = {"zip": "zip", "tar": "tar", "tar.gz": "gztar"}[suffix]
    archive = shutil.make_archive(str(tmp_path / "packed"), kind, theirs.parent)
    report = import_model(archive, config=config)
    assert report.spec.name == "packed" and verify("packed").ok
    assert not list(imported_folder().glob(".*")), "the unpacked copy stayed"


def test_packed_hub_cache_keeps_its_links(theirs: Path, config: Path, tmp_path: Path) -> None:
    hub_layout(tmp_path / "hub", theirs)
    archive = shutil.make_archive(str(tmp_path / "cache"), "gztar", tmp_path / "hub")
    assert verify(import_model(archive, config=config, vocoder=theirs / "vocos").spec.name).ok


def test_windows_line_ends_and_a_missing_last_newline_are_mended(theirs: Path, config: Path) -> None:
    right = (theirs / "vocab.txt").read_bytes()
    (theirs / "vocab.txt").write_bytes(right.rstrip(b"\n").replace(b"\n", b"\r\n"))
    report = import_model(theirs, config=config)
    assert resolve(report.spec).vocab.read_bytes() == right
    assert sum("newline" in n or "line ends" in n for n in report.notes) == 2


def test_the_name_of_an_entry_makes_the_copy_serve_it(
    theirs: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.engine.cache.imports import checking

    tiny = yaml.safe_load(config.read_text())["model"]["arch"]
    small = dataclasses.replace(get_model("F5TTS_Base_fi"), arch=tiny)  # the entry, at a size that a test can hold
    monkeypatch.setattr(checking, "get_model", lambda name: small)
    import_model(theirs, name="f5tts_base_fi")
    spec = get_model("F5TTS_Base_fi")
    assert spec.kind == "imported" and spec.license == "cc-by-nc-4.0"
    assert [s.name for s in list_models()].count("F5TTS_Base_fi") == 1
    assert resolve(spec).weights.parent == imported_folder() / "F5TTS_Base_fi"
    plan_delete("F5TTS_Base_fi").execute()
    assert get_model("F5TTS_Base_fi").repo, "the entry of the catalogue is back"


# Shapes against upstream ------------------------------------------------------------


@pytest.mark.parametrize("name", ["F5TTS_v1_Base", "F5TTS_Base", "F5TTS_Small", "E2TTS_Base", "E2TTS_Small"])
def test_sizes_are_read_off_upstreams_own_tensors(name: str) -> None:
    import torch

    from workbench.engine import upstream
    from workbench.engine.cache import Header, TensorInfo

    upstream.install()
    from f5_tts import model as f5

    backbone, arch, mel = template(name)
    with torch.device("meta"):
        module = getattr(f5, backbone)(**arch, text_num_embeds=2545, mel_dim=mel.n_mel_channels)
    header = Header(
        {f"ema_model.transformer.{k}": TensorInfo("F32", tuple(v.shape), 0) for k, v in module.state_dict().items()},
        {},
        0,
    )
    assert contradictions(header, backbone, arch, mel.n_mel_channels) == []
    assert describe(header)["vocabulary"] == 2545 == len(packaged_vocab().read_text().splitlines())
    others = {n: template(n) for n in ("F5TTS_Base", "F5TTS_Small", "E2TTS_Base", "E2TTS_Small")}
    fitting = {n for n, (b, a, m) in others.items() if not contradictions(header, b, a, m.n_mel_channels)}
    assert fitting <= {name, "F5TTS_Base" if name == "F5TTS_v1_Base" else name}
