"""import_model(): every common layout is imported, and unusable models are refused with the reason."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pickle
import shutil
import struct
import tarfile
import threading
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import TINY_ARCH
from tests.engine.cache.hub_server import COMMIT
from workbench.engine.cache import import_model, inventory, plan_delete, read_checkpoint, read_header, resolve, verify
from workbench.engine.cache.imports import archives
from workbench.engine.cache.imports.weights.architecture import contradictions, describe
from workbench.engine.catalog import bundled_folder, get_model, imported_folder, list_models, packaged_vocab, template
from workbench.engine.errors import CacheError, Cancelled, ImportRefused, ModelError, WeightsError


@pytest.fixture
def theirs(tiny_folder: Path, tmp_path: Path) -> Path:
    """A user's folder: weights, vocab.txt, vocos/ and nothing else (AllTalk's layout)."""
    return Path(shutil.copytree(tiny_folder, tmp_path / "theirs" / "my-voice"))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of the tiny model in upstream's layout."""
    path = tmp_path / "tiny.yaml"
    path.write_text(
        yaml.safe_dump({"model": {"backbone": "DiT", "arch": TINY_ARCH, "mel_spec": {"target_sample_rate": 24000}}})
    )
    return path


def edit_header(path: Path, change: Any) -> None:
    """Rewrite the JSON of a safetensors file, its tensors unchanged."""
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.dumps(change(json.loads(raw[8 : 8 + length]))).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + raw[8 + length :])


def weights_of(folder: Path) -> Path:
    return folder / "model_random.safetensors"


def refused(match: str, path: Path, kind: Any = ImportRefused, **options: Any) -> None:
    """The import fails in one line, and nothing of it stays."""
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} if path.is_dir() else {}
    with pytest.raises(kind, match=match) as caught:
        import_model(path, **options)
    assert "\n" not in str(caught.value)
    assert not list(imported_folder().glob("*")), "something was left behind"
    assert before == {p: p.read_bytes() for p in before}, "the user's files were changed"


# Layouts ------------------------------------------------------------


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


# Refusals ------------------------------------------------------------


def test_configuration_is_never_guessed(theirs: Path) -> None:
    refused("Versions 0 and 1 have the same tensors", theirs)
    refused("no configuration 'F6TTS'.*F5TTS_v1_Base", theirs, config="F6TTS")


def test_another_architecture_says_what_differs(theirs: Path) -> None:
    refused(
        "another architecture than F5TTS_Base: depth is 1, not 22; dim is 32, not 1024", theirs, config="F5TTS_Base"
    )
    refused("backbone is DiT, not UNetT", theirs, config="E2TTS_Base")


def test_a_known_name_in_the_layout_names_the_configuration(theirs: Path, tmp_path: Path) -> None:
    folder = tmp_path / "ckpts" / "F5TTS_v1_Base"
    folder.mkdir(parents=True)
    shutil.copy(weights_of(theirs), folder / "model_1250000.safetensors")
    refused("than the name F5TTS_v1_Base in the layout: depth is 1, not 22", tmp_path / "ckpts")


def test_mlx_weights(theirs: Path, config: Path) -> None:
    def as_mlx(table: dict[str, Any]) -> dict[str, Any]:
        return {
            k.removeprefix("ema_model.transformer.").replace(".to_out", ".to_out.layers"): v for k, v in table.items()
        }

    edit_header(weights_of(theirs), as_mlx)
    refused("MLX weights", theirs, config=config)


def test_weights_of_something_else(theirs: Path, config: Path) -> None:
    shutil.copy(bundled_folder() / "vocos" / "model.safetensors", weights_of(theirs))
    refused("no text embedding", theirs, config=config)


def test_lfs_pointer(theirs: Path, config: Path) -> None:
    weights_of(theirs).write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1350000000\n"
    )
    refused("Git LFS pointer.*git lfs pull", theirs, config=config)


def test_cut_short(theirs: Path, config: Path) -> None:
    content = weights_of(theirs).read_bytes()
    for length in (0, 4, 100, len(content) - 1):
        weights_of(theirs).write_bytes(content[:length])
        refused("cut short|not a safetensors file", theirs, WeightsError, config=config)
    weights_of(theirs).write_bytes(content + b"\0")
    refused("after its last tensor", theirs, WeightsError, config=config)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b" \na\n", r"trained with \d+ tokens, but vocab.txt has 2"),
        (b"a\n \n", "first entry of .* is 'a', not the space"),
        (b" \na\na\n", "'a' more than once"),
        (b"\xff\xfe", "cannot be read"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
    ],
)
def test_wrong_vocabularies(theirs: Path, config: Path, content: bytes, match: str) -> None:
    (theirs / "vocab.txt").write_bytes(content)
    refused(match, theirs, (ImportRefused, WeightsError), config=config)


def test_no_vocabulary_where_the_packaged_one_does_not_fit(theirs: Path, config: Path) -> None:
    (theirs / "vocab.txt").unlink()
    refused(r"\d+ tokens, but there is no vocabulary beside it, and the one of f5_tts has 2545", theirs, config=config)


class _Hostile:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.target}",)


@pytest.mark.parametrize("new_format", [True, False])
def test_unsafe_pickle_is_refused_and_never_run(theirs: Path, config: Path, tmp_path: Path, new_format: bool) -> None:
    import torch

    mark = tmp_path / "was-run"
    weights_of(theirs).unlink()
    torch.save(
        {"ema_model_state_dict": {"x": _Hostile(mark)}}, theirs / "model.pt", _use_new_zipfile_serialization=new_format
    )
    refused(r"asks for \w+\.system.*could run code", theirs, config=config)
    assert not mark.exists()


def test_unsafe_vocoder(theirs: Path, config: Path, tmp_path: Path) -> None:
    (theirs / "vocos" / "pytorch_model.bin").write_bytes(pickle.dumps(_Hostile(tmp_path / "was-run"), protocol=2))
    refused("pytorch_model.bin is refused", theirs, config=config)
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a pickle",
        b"\x80\x02.",
        b"\x80\x02}q\xff.",
        b"\x80\x02]r\xff\xff\xff\x7f.",
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"PK\x03\x04 cut",
        b"\x80\x02ccollections\nOrderedDict\n)R.",
    ],
)
def test_damaged_checkpoints(theirs: Path, config: Path, content: bytes) -> None:
    weights_of(theirs).unlink()
    (theirs / "model.pt").write_bytes(content)
    with pytest.raises((WeightsError, ImportRefused)):
        import_model(theirs, config=config)


def test_two_candidates_are_not_guessed(theirs: Path, config: Path) -> None:
    shutil.copy(weights_of(theirs), theirs / "model_2.safetensors")
    refused(
        "holds 2 files that fit: model_2.safetensors, model_random.safetensors",
        theirs,
        WeightsError,
        config=config,
    )


def test_nothing_there(tmp_path: Path, config: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused("holds no weights", tmp_path / "empty", WeightsError, config=config)
    refused("does not exist", tmp_path / "nowhere", WeightsError, config=config)


def test_names(theirs: Path, config: Path) -> None:
    for name in ("../up", "a b", ".hidden", "x" * 65):
        refused("cannot be the name", theirs, CacheError, config=config, name=name)
    refused("is the name of the voice that came", theirs, CacheError, config=config, name="demo-voice")
    import_model(theirs, config=config)
    with pytest.raises(CacheError, match="is taken"):
        import_model(theirs, config=config)
    with pytest.raises(ModelError):
        get_model("nothing-like-it-at-all")


def test_cancel_leaves_nothing(theirs: Path, config: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    refused("cancelled", theirs, Cancelled, config=config, cancel=cancel)


# Archives of strangers ------------------------------------------------------------


def _tar(path: Path, *members: tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def _member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, link, size
    return member


def test_archives_that_lead_out(tmp_path: Path) -> None:
    refused("leads out", _tar(tmp_path / "a.tar", _member("../escaped", size=1)))
    refused("leads out", _tar(tmp_path / "b.tar", _member("/tmp/escaped", size=1)))
    refused("leads out", _tar(tmp_path / "c.tar", _member("a/link", tarfile.SYMTYPE, "../../escaped")))
    refused("leads out", _tar(tmp_path / "g.tar", _member("link", tarfile.SYMTYPE, "/etc/passwd")))
    refused("leads out", _tar(tmp_path / "h.tar", _member("link", tarfile.LNKTYPE, "../escaped")))
    refused("neither file nor folder", _tar(tmp_path / "d.tar", _member("device", tarfile.CHRTYPE)))
    through = (
        _member("x", tarfile.SYMTYPE, "."),
        _member("x/y", tarfile.SYMTYPE, "x/z"),
        _member("x/y/escaped", size=1),
    )
    refused("holds no weights|cannot be unpacked", _tar(tmp_path / "i.tar", *through), (ImportRefused, WeightsError))
    with zipfile.ZipFile(tmp_path / "e.zip", "w") as archive:
        archive.writestr("../escaped", "x")
    refused("leads out", tmp_path / "e.zip")
    with zipfile.ZipFile(tmp_path / "f.zip", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    refused("holds the link", tmp_path / "f.zip")
    assert not list(tmp_path.rglob("escaped"))


def test_archives_that_do_not_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 1_000_000)
    monkeypatch.setattr(archives, "MAX_ENTRIES", 20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("model.safetensors", b"\0" * 3_000_000)
    refused("unpacks to more than the disk has free", tmp_path / "bomb.zip")
    refused("unpacks to more", _tar(tmp_path / "bomb.tar", _member("model.safetensors", size=3_000_000)))
    refused("more than 20 files", _tar(tmp_path / "many.tar", *[_member(str(n)) for n in range(21)]))


def test_damaged_archives(tmp_path: Path) -> None:
    for name in ("a.zip", "a.tar", "a.tar.gz"):
        (tmp_path / name).write_bytes(b"PK\x03\x04 this is not one")
        refused("cannot be unpacked", tmp_path / name)


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
