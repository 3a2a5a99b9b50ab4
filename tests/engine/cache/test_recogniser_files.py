"""Recognisers in the cache: brought, taken in, listed, verified and removed like models; damaged files are noticed."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import pytest

from tests.engine.cache.hub_server import HubServer
from workbench.engine.cache import (
    fetch,
    file_problem,
    import_model,
    inventory,
    plan_delete,
    resolve_recogniser,
    verify,
)
from workbench.engine.cache.ctranslate import read_converted
from workbench.engine.cache.imports.whisper import find_whisper
from workbench.engine.catalog import get_entry, get_model, list_models, list_recognisers
from workbench.engine.errors import ImportRefused, ModelError, WeightsError

FOUR = ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt")


def head(
    spec: str = "WhisperSpec", width: int = 512, layers: tuple[int, int] = (6, 6), n_tokens: int = 51_865
) -> bytes:
    """A model.bin with the names and shapes of a Whisper, and contents of four bytes each."""

    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    shapes = {"encoder/conv1/bias": (width,), "decoder/embeddings/weight": (n_tokens, width)}
    shapes |= {f"encoder/layer_{k}/ffn/x": (1,) for k in range(layers[0])} | {"encoder/layer_norm/gamma": (1,)}
    shapes |= {f"decoder/layer_{k}/ffn/x": (1,) for k in range(layers[1])} | {"decoder/layer_norm/gamma": (1,)}
    found = struct.pack("<I", 6) + text(spec) + struct.pack("<II", 3, len(shapes))
    for name, shape in shapes.items():
        found += text(name) + struct.pack(f"<B{len(shape)}I", len(shape), *shape) + struct.pack("<BI", 0, 4) + b"abcd"
    return found + struct.pack("<I", 1) + text("decoder/projection/weight") + text("decoder/embeddings/weight")


def folder_with(place: Path, weights: bytes | None = None) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json"):
        (place / name).write_text("{}")
    (place / "vocabulary.txt").write_text("a\nb\n")
    (place / "model.bin").write_bytes(head() if weights is None else weights)
    return place


@pytest.mark.parametrize(
    ("width", "layers", "n_tokens", "name"),
    [
        (384, (4, 4), 51_865, "whisper-tiny"), (384, (4, 4), 51_864, "whisper-tiny.en"),
        (512, (6, 6), 51_865, "whisper-base"), (768, (12, 12), 51_864, "whisper-small.en"),
        (1280, (32, 4), 51_866, "whisper-large-turbo"), (256, (2, 2), 51_865, "my-ears"),
    ],
)  # fmt: skip
def test_the_size_is_told_by_the_weights(
    tmp_path: Path, width: int, layers: tuple[int, int], n_tokens: int, name: str
) -> None:
    found = find_whisper(folder_with(tmp_path / "my ears", head("WhisperSpec", width, layers, n_tokens)))
    assert found is not None and found.name == name and found.english == name.endswith(".en")


@pytest.mark.parametrize("layout", ["folder", "within", "file", "hub", "zip"])
def test_every_layout_is_taken_in_and_listed_and_removed(tmp_path: Path, layout: str) -> None:
    base = tmp_path / "models--Systran--faster-whisper-base" / "snapshots" / ("a" * 40)
    plain = tmp_path / "download"
    folder_with(base if layout == "hub" else plain / "base" if layout in ("within", "zip") else plain)
    given = {"file": plain / "model.bin", "hub": base.parents[1]}.get(layout, plain)
    if layout == "zip":
        given = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", plain))
    report = import_model(given)
    assert report.spec.name == "whisper-base" and report.spec.license == "MIT"
    stock = next(s for s in inventory() if s.model == "whisper-base")
    assert (stock.state, sorted(f.name for f in stock.files)) == ("complete", sorted(FOUR))
    assert verify("whisper-base").ok
    spec = next(s for s in list_recognisers() if s.name == "whisper-base")
    assert resolve_recogniser(spec) == spec.folder
    plan = plan_delete("whisper-base")
    plan.execute()
    assert next(s for s in inventory() if s.model == "whisper-base").state == "absent"


def test_it_is_no_model_that_speaks(tmp_path: Path) -> None:
    import_model(folder_with(tmp_path / "w"))
    assert "whisper-base" not in {spec.name for spec in list_models()}
    with pytest.raises(ModelError, match="recogniser"):
        get_model("whisper-base")
    assert get_entry("Systran/faster-whisper-small.en").name == "whisper-small.en"


def test_it_is_fetched_pinned_and_found(_own_home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    place = folder_with(tmp_path / "w")
    repos = {"Systran/faster-whisper-base": {name: (place / name).read_bytes() for name in (*FOUR, "README.md")
                                             if (place / name).exists()}}  # fmt: skip
    with HubServer(repos) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
        done = fetch("whisper-base")
    assert list(done.revisions) == ["Systran/faster-whisper-base"]
    spec = next(s for s in list_recognisers() if s.name == "whisper-base")
    assert resolve_recogniser(spec).name == done.revisions["Systran/faster-whisper-base"]
    assert verify("whisper-base").ok
    plan_delete("whisper-base").execute()
    with pytest.raises(WeightsError, match="cache fetch whisper-base"):
        resolve_recogniser(spec)


def test_one_in_the_users_own_cache_is_found(_own_home: Path) -> None:
    base = _own_home / "huggingface" / "hub" / "models--Systran--faster-whisper-tiny" / "snapshots" / ("b" * 40)
    folder_with(base, head("WhisperSpec", 384, (4, 4)))
    assert resolve_recogniser(next(s for s in list_recognisers() if s.name == "whisper-tiny")) == base
    assert next(s for s in inventory() if s.model == "whisper-tiny").source == "huggingface cache"


def test_a_cut_file_is_noticed_wherever_it_ends(tmp_path: Path) -> None:
    whole, path = head(), tmp_path / "model.bin"
    path.write_bytes(whole)
    assert file_problem(path) == ""
    for end in range(40, len(whole), 7):
        path.write_bytes(whole[:end])
        assert "cut short" in file_problem(path), end
    path.write_bytes(whole + b"more")
    assert "after its end" in file_problem(path)


@pytest.mark.parametrize(
    ("at", "value"), [(0, struct.pack("<I", 20)), (22, struct.pack("<I", 2**31)), (26, struct.pack("<H", 60_000))]
)
def test_wild_numbers_are_damage(tmp_path: Path, at: int, value: bytes) -> None:
    path = tmp_path / "model.bin"
    path.write_bytes(head()[:at] + value + head()[at + len(value) :])
    with pytest.raises(WeightsError, match="damaged"):
        read_converted(path)


@pytest.mark.parametrize("lacking", FOUR)
def test_a_part_of_one_is_refused_by_name(tmp_path: Path, lacking: str) -> None:
    place = folder_with(tmp_path / "w")
    (place / lacking).unlink()
    with pytest.raises((ImportRefused, WeightsError), match=lacking if lacking != "model.bin" else "no weights"):
        import_model(place)
    assert all(s.state == "absent" for s in inventory() if s.model.startswith("whisper"))


def test_other_formats_are_refused_with_the_command_that_converts(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "whisper"}))
    (tmp_path / "model.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(ImportRefused, match="ct2-transformers-converter"):
        import_model(tmp_path)
    with pytest.raises(ImportRefused, match="not a Whisper"):
        import_model(folder_with(tmp_path / "other", head("TransformerSpec")))


def test_a_file_lost_later_is_named(tmp_path: Path) -> None:
    import_model(folder_with(tmp_path / "w"))
    spec = next(s for s in list_recognisers() if s.name == "whisper-base")
    assert spec.folder is not None
    (spec.folder / "tokenizer.json").unlink()
    with pytest.raises(WeightsError, match=r"tokenizer\.json is missing"):
        resolve_recogniser(spec)
    assert next(s for s in inventory() if s.model == "whisper-base").state == "incomplete"


def test_links_that_became_text_files_are_said_and_can_be_imported(_own_home: Path) -> None:
    base = _own_home / "cache" / "hub" / "models--Systran--faster-whisper-base"
    place = folder_with(base / "snapshots" / ("c" * 40))
    (base / "blobs").mkdir()
    for n, name in enumerate(FOUR):
        (place / name).rename(base / "blobs" / (str(n) * 40))
        (place / name).write_text(f"../../blobs/{str(n) * 40}")
    spec = next(s for s in list_recognisers() if s.name == "whisper-base")
    with pytest.raises(WeightsError, match=r"text file.*cache import"):
        resolve_recogniser(spec)
    taken = import_model(place).spec
    assert taken.folder is not None and verify("whisper-base").ok and read_converted(taken.folder / "model.bin")
