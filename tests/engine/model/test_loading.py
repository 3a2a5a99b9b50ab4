"""Loading accepts only plain weights of the right shape, times each stage, and imports only what inference needs."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.conftest import TINY_SPEC
from workbench.engine.catalog import get_model
from workbench.engine.errors import DeviceError, WeightsError
from workbench.engine.model import devices
from workbench.engine.model.devices import choose_device, choose_dtype
from workbench.engine.model.loading import load
from workbench.engine.model.weights import build_cfm, read_tensors, read_vocab
from workbench.engine.rules import WINDOW_FRAMES
from workbench.engine.settings import LoadSettings


def test_every_step_is_a_span(tiny_engine):
    names = [s.name for s in tiny_engine.loaded.spans]
    assert names == ["resolve", "import", "read_weights", "build", "read_weights", "build", "to_device", "warmup"]


@pytest.mark.slow
def test_importing_the_engine_does_not_import_the_trainer():
    code = (
        "import sys; from workbench.engine.model import loading; from workbench.engine.settings import LoadSettings\n"
        "import workbench; workbench.load_engine()\n"
        "print([m for m in ('wandb','accelerate','datasets','gradio','transformers','huggingface_hub','streamlit',"
        "'f5_tts.model.trainer','librosa','numba') if m in sys.modules])\n"
        "from f5_tts.model import modules; print(modules.librosa_mel_fn(sr=24000, n_fft=1024, n_mels=100).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported, mel = done.stdout.splitlines()
    assert imported in ("[]", "['huggingface_hub']"), "vocos itself imports huggingface_hub"
    assert mel == "(100, 513)", "librosa is imported when it is called"


def test_import_workbench_is_light():
    code = "import sys, workbench; print([m for m in ('torch','numpy','streamlit','f5_tts') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_upstreams_package_still_offers_its_names():
    from workbench.engine import upstream

    upstream.install()
    import f5_tts.model as f5

    assert f5.CFM.__name__ == "CFM"
    assert f5.UNetT.__name__ == "UNetT"
    with pytest.raises(AttributeError):
        _ = f5.Nothing


def broken_copy(tiny_folder, tmp_path, change):
    state = load_file(tiny_folder / "model_random.safetensors")
    change(state)
    for name in ("vocab.txt", "vocos/config.yaml", "vocos/pytorch_model.bin"):
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((tiny_folder / name).read_bytes())
    save_file(state, tmp_path / "model_random.safetensors")
    return tmp_path


def test_weights_of_another_architecture_are_named(tiny_folder, tmp_path):
    key = "ema_model.transformer.proj_out.weight"
    folder = broken_copy(tiny_folder, tmp_path, lambda s: s.update({key: torch.zeros(100, 48)}))
    with pytest.raises(WeightsError, match=r"proj_out.weight is \(100, 48\), not \(100, 32\)"):
        load(TINY_SPEC, LoadSettings(device="cpu"), folder=folder)


def test_missing_tensors_are_named(tiny_folder, tmp_path):
    folder = broken_copy(tiny_folder, tmp_path, lambda s: s.pop("ema_model.transformer.proj_out.bias"))
    with pytest.raises(WeightsError, match=r"missing, such as transformer\.proj_out\.bias"):
        load(TINY_SPEC, LoadSettings(device="cpu"), folder=folder)


def test_another_vocabulary_is_refused(tiny_folder, tmp_path):
    folder = broken_copy(tiny_folder, tmp_path, lambda s: None)
    (folder / "vocab.txt").write_text(" \na\nb\n")
    with pytest.raises(WeightsError, match="text_embed"):
        load(TINY_SPEC, LoadSettings(device="cpu"), folder=folder)


def test_truncated_weights_are_refused(tiny_folder, tmp_path):
    whole = (tiny_folder / "model_random.safetensors").read_bytes()
    cut = tmp_path / "model_cut.safetensors"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="cut short: "):
        read_tensors(cut)


class _Bomb:
    def __reduce__(self):
        return (exec, ("raise SystemExit('code from a pickle was run')",))


def test_a_pickle_that_would_run_code_is_refused(tmp_path):
    path = tmp_path / "model.pt"
    torch.save({"weights": torch.zeros(2), "bomb": _Bomb()}, path)
    with pytest.raises(WeightsError, match="could run code"):
        read_tensors(path)
    path.write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(WeightsError):
        read_tensors(path)


def test_vocabularies_with_crlf_or_without_a_last_newline_are_read_whole(tmp_path):
    path = tmp_path / "vocab.txt"
    for content in (" \na\nbc\n", " \r\na\r\nbc\r\n", " \na\nbc"):
        path.write_bytes(content.encode())
        assert read_vocab(path) == {" ": 0, "a": 1, "bc": 2}


def test_devices_and_formats_that_are_not_here_are_refused():
    with pytest.raises(DeviceError, match="no device 'warp'"):
        choose_device("warp")
    with pytest.raises(DeviceError, match="fp16"):
        choose_dtype("fp16", "cpu")


def test_auto_takes_bf16_on_a_cpu_that_multiplies_it_much_faster(monkeypatch):
    for faster, dtype in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr(devices, "cpu_prefers_bf16", lambda answer=faster: answer)
        assert choose_dtype("auto", "cpu") == dtype
        assert choose_dtype("fp32", "cpu") == "fp32"
        assert choose_dtype("auto", "mps") == "fp32"


@pytest.fixture
def unmeasured(monkeypatch, tmp_path):
    """A home in which no processor was measured; every process that starts in it is one call."""
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    measure = devices.cpu_prefers_bf16
    measure.cache_clear()
    yield lambda: (measure.cache_clear(), measure())[1]
    measure.cache_clear()


def test_a_busy_machine_does_not_change_the_number_format(monkeypatch, tmp_path, unmeasured):
    for first in (True, False):
        monkeypatch.setattr(devices, "_bf16_is_faster", lambda found=first: found)
        assert unmeasured() is first
        monkeypatch.setattr(devices, "_bf16_is_faster", lambda found=first: not found)
        assert unmeasured() is first  # in the next process, whatever would be measured there
        monkeypatch.setattr(devices, "_processor", lambda: "another one")
        assert unmeasured() is not first
        monkeypatch.undo()
        monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / f"other {first}"))


def test_what_was_measured_may_be_damaged_or_unwritable(monkeypatch, tmp_path, unmeasured):
    path = tmp_path / "cache" / devices.REMEMBERED
    monkeypatch.setattr(devices, "_bf16_is_faster", lambda: True)
    path.mkdir(parents=True)  # can be neither read nor replaced
    assert unmeasured() is True
    path.rmdir()
    for content in ("", "[1]", '{"a": 1'):
        path.write_text(content)
        assert unmeasured() is True
        assert True in json.loads(path.read_text()).values()


def test_bf16_keeps_time_text_and_positions_exact_and_speaks(tiny_folder, voice):
    from workbench.engine.settings import SynthesisSettings
    from workbench.engine.speech.synthesis import Engine

    engine = Engine(load(TINY_SPEC, LoadSettings(device="cpu", dtype="bf16"), folder=tiny_folder))
    model = engine.loaded.cfm.transformer
    assert model.proj_out.weight.dtype == torch.bfloat16
    assert {p.dtype for p in [*model.time_embed.parameters(), *model.text_embed.parameters()]} == {torch.float32}
    assert model.rotary_embed.inv_freq.dtype == torch.float32
    run = engine.run("Hello there, friend.", voice, SynthesisSettings(nfe_step=4))
    assert run.dtype == "bf16"
    assert abs(run.wave).max() > 0


@pytest.mark.parametrize("name", ["F5TTS_v1_Base", "E2TTS_Base"])
def test_the_window_is_what_upstreams_class_has(name):
    import dataclasses

    spec = get_model(name)
    small = dict(spec.arch) | {"dim": 64, "depth": 2, "heads": 2, "text_dim": 16, "conv_layers": 1}
    cfm = build_cfm(dataclasses.replace(spec, arch=small), {" ": 0, "a": 1})
    assert cfm.transformer.text_embed.precompute_max_pos == WINDOW_FRAMES[spec.backbone]


def test_e2tts_speaks_through_the_same_code(voice):
    """UNetT, upstream's other backbone, at a size for tests."""
    import dataclasses

    from workbench.engine.model import random_weights
    from workbench.engine.settings import SynthesisSettings
    from workbench.engine.speech.synthesis import Engine

    spec = get_model("E2TTS_Base")
    small = dict(spec.arch) | {"dim": 64, "depth": 2, "heads": 2}
    spec = dataclasses.replace(spec, arch=small)
    engine = Engine(load(spec, LoadSettings(device="cpu"), built=lambda: random_weights.build(spec, 1)))
    run = engine.run("Hello there, friend.", voice, SynthesisSettings(nfe_step=2))
    assert run.audio_seconds > 0.3
