"""Models and cache: models on disk and in memory, offline runs, and no action without a click."""

from __future__ import annotations

import dataclasses
import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.ui.helpers import html_of, until
from workbench.engine import cache
from workbench.engine.catalog import list_entries
from workbench.ui import resources


def tick(at: Any, model: str) -> Any:
    rows = [s.model for s in cache.inventory()].index(model)
    at.session_state["stock"] = {"selection": {"rows": [rows], "columns": [], "cells": []}}
    at.run()
    assert not at.exception
    return at


def said(at: Any) -> str:
    return " ".join(
        block.value for group in (at.markdown, at.success, at.error, at.warning, at.caption) for block in group
    )


def test_the_catalogue_is_listed_with_state_licence_and_size(open_page: Any) -> None:
    at = open_page("models")
    table = at.dataframe[0].value.set_index("model")
    assert set(table.index) == {spec.name for spec in list_entries()}
    demo = table.loc["demo-voice"]
    assert demo["state"] == "✓ complete" and demo["licence"] == "MIT" and demo["size"].endswith("MB")
    assert table.loc["F5TTS_v1_Base"]["state"] == "– absent"
    assert table.loc["F5TTS_v1_Base"]["licence"] == "cc-by-nc-4.0"


def test_what_is_loaded_is_told_without_loading_it(open_page: Any, tiny_engine: Any) -> None:
    shown = html_of(open_page("models"))
    assert f"{tiny_engine.load_seconds:.1f} s" in shown and "a reload would take" in shown
    assert f"<b>{tiny_engine.n_runs}</b>" in shown


def test_the_offline_guarantee_is_measured_on_request(open_page: Any) -> None:
    at = open_page("models")
    measured = "measured with Python&#x27;s audit events (PEP 578)"
    assert f'{measured}</td><td class="l w">not measured yet by this server' in html_of(at)
    assert "**no**" in at.success[0].value
    at.button(key="prove").click().run()
    until(at, lambda page: f'{measured}</td><td class="l w">0 look-ups or connections' in html_of(page))


def test_a_run_that_calls_out_is_denounced(open_page: Any, tiny_engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    original = tiny_engine.run

    def calls_out(*args: Any, **kwargs: Any) -> Any:
        socket.getaddrinfo("127.0.0.1", 9)
        return original(*args, **kwargs)

    monkeypatch.setattr(tiny_engine, "run", calls_out)
    at = open_page("models")
    at.button(key="prove").click().run()
    until(at, lambda page: bool(page.error))
    assert "**yes**" in at.error[0].value and "getaddrinfo" in at.error[0].value


def test_verify_reads_every_byte_and_finds_a_flipped_one(open_page: Any, demo_home: Path) -> None:
    at = tick(open_page("models"), "demo-voice")
    at.button(key="verify_demo-voice").click().run()
    until(at, lambda page: "have the right content" in said(page))
    vocab = demo_home / "cache" / "demo-voice" / "vocab.txt"
    content = bytearray(vocab.read_bytes())
    content[0] ^= 1
    vocab.write_bytes(bytes(content))
    at.button(key="verify_demo-voice").click().run()
    until(at, lambda page: "are not what they must be: vocab.txt (damaged)." in said(page))
    assert at.dataframe[1].value["status"][0] == "damaged"  # what is wrong comes first


def test_the_files_of_a_model_are_a_table_that_wraps(open_page: Any, demo_home: Path) -> None:
    at = tick(open_page("models"), "demo-voice")
    shown = html_of(at)
    vocab = demo_home / "cache" / "demo-voice" / "vocab.txt"
    digest = hashlib.sha256(vocab.read_bytes()).hexdigest()
    assert f'>vocab.txt</td><td class="l w">148 B, no problem\n{vocab}\n{digest}</td>' in shown


def test_the_demo_voice_is_not_deleted_from_here(open_page: Any, demo_home: Path) -> None:
    at = tick(open_page("models"), "demo-voice")
    at.button(key="delete_demo-voice").click().run()
    assert "part of the project" in said(at)
    assert (demo_home / "cache" / "demo-voice" / "vocab.txt").exists()


def test_import_then_delete_with_the_plan_shown_first(
    open_page: Any, tiny_engine: Any, tiny_folder: Path, tmp_path: Path
) -> None:
    source = tmp_path / "my model"
    shutil.copytree(tiny_folder, source)
    spec = tiny_engine.loaded.spec
    described = {"backbone": spec.backbone, "arch": spec.arch, "mel_spec": dataclasses.asdict(spec.mel)}
    (source / "config.yaml").write_text(yaml.safe_dump({"model": described}), "utf-8")
    at = open_page("models")
    at.text_input(key="import_path").set_value(str(source))
    at.text_input(key="import_name").set_value("mine")
    at.button(key="FormSubmitter:import-Import").click().run()
    until(at, lambda page: page.error or "mine" in list(page.dataframe[0].value["model"]))
    assert not at.error, at.error[0].value
    assert "mine was imported" in said(at) and at.button(key="models_use").label == "Speak with mine"
    assert any("EMA weights only." in text.value for text in at.text)  # it is ticked, without a click
    at.button(key="models_dismiss").click().run()
    assert "mine was imported" not in said(at)
    tick(at, "mine")
    assert any(
        "EMA weights only." in text.value and "Weights in the file: EMA; EMA used." in text.value for text in at.text
    )
    at.button(key="delete_mine").click().run()
    assert "frees" in said(at) and any("imported/mine" in c.value for c in at.code)
    assert any(s.model == "mine" for s in cache.inventory())  # shown, not done; a click in a dialog needs a browser


@pytest.mark.parametrize("path", ["/nowhere/at/all", "/etc/passwd", "~nobody/x", "<b>x</b>", "\x00", "a" * 900])
def test_an_import_that_cannot_be_is_told_in_one_line(open_page: Any, path: str) -> None:
    at = open_page("models")
    at.text_input(key="import_path").set_value(path)
    at.selectbox(key="import_weights").set_value("raw")
    at.button(key="FormSubmitter:import-Import").click().run()
    until(at, lambda page: bool(page.error))
    assert not at.exception and "log has the details" not in at.error[0].value


def test_fetching_says_size_and_host_and_asks_nobody_before_the_click(open_page: Any) -> None:
    at = tick(open_page("models"), "F5TTS_v1_Base")  # any connection would fail the test
    assert "about 1.4 GB" in said(at) and "**huggingface.co**" in said(at)
    assert at.button(key="plan_F5TTS_v1_Base_button").label == "Ask huggingface.co for the exact size"


def test_a_hub_that_cannot_be_reached_is_told_in_one_line(open_page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    at = tick(open_page("models"), "F5TTS_v1_Base")
    assert "**127.0.0.1:9**" in said(at)
    at.button(key="plan_F5TTS_v1_Base_button").click().run()
    until(at, lambda page: bool(page.error), seconds=90)
    assert "127.0.0.1 (port 9) cannot be reached" in at.error[0].value and not at.exception


def test_offline_by_decree_hides_the_button(open_page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    at = tick(open_page("models"), "F5TTS_v1_Base")
    assert "HF_HUB_OFFLINE" in said(at)
    assert "plan_F5TTS_v1_Base_button" not in [b.key for b in at.button]


def test_the_page_is_usable_while_the_models_load(open_page: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "engine_if_loaded", lambda *args, **kwargs: None)
    at = open_page("models")
    assert "a reload would take" not in html_of(at) and at.dataframe and "size, state, path, sha256" in html_of(at)
