"""The catalogue agrees with its sources: upstream's package and upstream's SHARED.md."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from workbench.engine.catalog import (
    bundled_folder,
    get_model,
    list_models,
    packaged_vocab,
    read_config,
    template,
    templates,
    upstream_folder,
)
from workbench.engine.errors import ModelError, WeightsError

SHARED = (upstream_folder() / "infer" / "SHARED.md").read_text(encoding="utf-8")
CARD = re.compile(
    r"^(?:# A Variant )?Model: hf://(\S+?/\S+?)/(\S+)\n(?:# .*\n)?Vocab: hf://\S+?/\S+?/(\S+)\nConfig: (\{.*\})",
    re.MULTILINE,
)


def test_every_model_card_of_shared_md_is_an_entry_with_its_literal_config() -> None:
    cards = CARD.findall(SHARED)
    assert len(cards) >= 10, "SHARED.md has another form: read it anew"
    for repo, weights, vocab, config in cards:
        spec = next(s for s in list_models() if s.repo == repo and s.weights == weights)
        wanted = ast.literal_eval(config)
        # upstream's YAML spells out defaults that the card leaves away; what the card says must be so
        assert {key: spec.arch[key] for key in wanted} == wanted, spec.name
        assert spec.vocab in (vocab, None), spec.name
        if spec.kind == "community":
            assert spec.arch == wanted, spec.name


def test_every_repository_that_shared_md_links_is_listed() -> None:
    linked = set(re.findall(r"\[ckpt & vocab\]\(https://huggingface\.co/([\w.-]+/[\w.-]+)", SHARED))
    assert linked <= {s.repo for s in list_models()}


def test_licences_are_at_least_as_strict_as_shared_md_says() -> None:
    strictness = {"cc0-1.0": 0, "mit": 0, "apache-2.0": 1, "cc-by-4.0": 2, "cc-by-nc-4.0": 3, "cc-by-nc-sa-4.0": 4}
    rows = re.findall(r"\[ckpt & vocab\]\(https://huggingface\.co/([\w.-]+/[\w.-]+)[^|]*\|[^|]*\|([^|]+)\|", SHARED)
    assert len(rows) >= 12
    for repo, said in rows:
        for spec in (s for s in list_models() if s.repo == repo):
            assert strictness[spec.license.lower()] >= strictness[said.strip().lower()], spec.name
            if spec.license.lower() != said.strip().lower():
                assert said.strip() in spec.license_note and spec.license in spec.license_note, "both must be named"


@pytest.mark.parametrize("name", ["F5TTS_v1_Base", "F5TTS_Base", "E2TTS_Base"])
def test_released_models_are_built_as_upstreams_yaml_says(name: str) -> None:
    source = yaml.safe_load((upstream_folder() / "configs" / f"{name}.yaml").read_text())["model"]
    spec = get_model(name)
    assert (spec.backbone, spec.arch) == (source["backbone"], source["arch"])
    assert {key: getattr(spec.mel, key) for key in source["mel_spec"]} == source["mel_spec"]
    assert spec.vocab is None and packaged_vocab().is_file()


def test_version_0_and_1_differ_where_they_must() -> None:
    old, new = get_model("F5TTS_Base").arch, get_model("F5TTS_v1_Base").arch
    assert (old["text_mask_padding"], old["pe_attn_head"]) == (False, 1)
    assert (new["text_mask_padding"], new["pe_attn_head"]) == (True, None)


def test_a_copy_of_an_entry_can_be_changed_without_changing_the_catalogue() -> None:
    get_model("F5TTS_v1_Base").arch["depth"] = 1
    template("F5TTS_v1_Base")[1]["depth"] = 1
    assert get_model("F5TTS_v1_Base").arch["depth"] == 22


def test_names_ignore_case_and_repositories_are_names_too() -> None:
    assert get_model("f5tts_V1_base").name == "F5TTS_v1_Base"
    assert get_model("sprINGLab/F5-Hindi-24KHz").name == "F5TTS_Small_hi"
    assert get_model("Demo-Voice").kind == "bundled"


@pytest.mark.parametrize(
    ("typed", "meant"), [("F5TTS_v2_Base", "F5TTS_v1_Base"), ("E2-TTS", "E2TTS_Base"), ("demo", "demo-voice")]
)
def test_unknown_name_lists_near_ones(typed: str, meant: str) -> None:
    with pytest.raises(ModelError, match=meant):
        get_model(typed)


def test_ambiguous_repository_lists_its_models() -> None:
    with pytest.raises(ModelError, match=r"F5TTS_v1_Base.*F5TTS_Base"):
        get_model("SWivid/F5-TTS")


def test_model_without_known_config_is_listed_but_never_guessed() -> None:
    spec = get_model("F5TTS_Small_ar")
    assert spec.arch == {} and "configuration" in spec.not_runnable


def test_the_demo_voice_is_found_from_any_home() -> None:
    spec = get_model("demo-voice")  # the tests' home has none of its own
    assert spec.folder == bundled_folder() and (bundled_folder() / "config.yaml").is_file()
    assert spec.arch == yaml.safe_load((bundled_folder() / "config.yaml").read_text())["model"]["arch"]


def test_a_home_with_its_own_demo_voice_uses_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "cache" / "demo-voice"
    own.mkdir(parents=True)
    (own / "config.yaml").write_text((bundled_folder() / "config.yaml").read_text().replace("depth: 10", "depth: 2"))
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    assert get_model("demo-voice").folder == own


def test_templates_are_upstreams_configs_and_the_catalogues_names() -> None:
    assert {"F5TTS_v1_Base", "F5TTS_Base", "F5TTS_Small", "E2TTS_Base"} <= set(templates())
    assert template("f5tts_small")[1]["depth"] == 18
    assert template("F5TTS_Small_hi")[1] == get_model("F5TTS_Small_hi").arch
    with pytest.raises(ModelError):
        template("F5TTS_Huge")


@pytest.mark.parametrize(
    "text", ["", "model: 3", "model: {backbone: DiT}", "a: [", "model: {backbone: X, arch: {}, mel_spec: {}}"]
)
def test_a_file_that_is_no_configuration_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(WeightsError):
        read_config(tmp_path / "config.yaml")


def test_the_catalogue_and_resolution_import_neither_torch_nor_the_network() -> None:
    code = (
        "import sys; from workbench.engine.catalog import get_model;"
        "from workbench.engine.cache import resolve, inventory;"
        "resolve(get_model('demo-voice')); inventory();"
        "print([m for m in ('torch', 'huggingface_hub', 'httpx', 'f5_tts', 'vocos') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_habibi_is_arabic_and_five_of_its_models_are_free():
    models = [s for s in list_models() if s.repo == "SWivid/Habibi-TTS"]
    assert {s.name.removeprefix("Habibi_") for s in models if s.license == "apache-2.0"} == {
        "ALG", "EGY", "IRQ", "MAR", "MSA"
    }  # fmt: skip
    assert len(models) == 8 and all(s.languages == ("ar",) and s.vocab for s in models)
    base = get_model("F5TTS_v1_Base")
    assert all((s.backbone, s.arch, s.mel) == (base.backbone, base.arch, base.mel) for s in models)
    assert get_model("habibi_msa").weights == "Specialized/MSA/model_200000.safetensors"
