"""import_model(): unusable models and archives of strangers are refused with the reason, and nothing stays."""

from __future__ import annotations

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

from tests.engine.cache.conftest import weights_of
from workbench.engine.cache import import_model
from workbench.engine.cache.imports import archives
from workbench.engine.catalog import bundled_folder, get_model, imported_folder
from workbench.engine.errors import CacheError, Cancelled, ImportRefused, ModelError, WeightsError


def edit_header(path: Path, change: Any) -> None:
    """Rewrite the JSON of a safetensors file, its tensors unchanged."""
    raw = path.read_bytes()
    length = struct.unpack("<Q", raw[:8])[0]
    header = json.dumps(change(json.loads(raw[8 : 8 + length]))).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + raw[8 + length :])


def refused(match: str, path: Path, kind: Any = ImportRefused, **options: Any) -> None:
    """The import fails in one line, and nothing of it stays."""
    before = {p: p.read_bytes() for p in path.rglob("*") if p.is_file()} if path.is_dir() else {}
    with pytest.raises(kind, match=match) as caught:
        import_model(path, **options)
    assert "\n" not in str(caught.value)
    assert not list(imported_folder().glob("*")), "something was left behind"
    assert before == {p: p.read_bytes() for p in before}, "the user's files were changed"


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
