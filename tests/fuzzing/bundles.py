"""Bundles of models: damaged, with a list that lies, with members that lead elsewhere."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from pathlib import Path

from tests.fuzzing import damage, seeds
from tests.fuzzing.archives import odd_member
from tests.fuzzing.drawing import Source
from tests.fuzzing.kind import Kind, demand, no_leftovers, refusable
from workbench.engine import cache
from workbench.engine.cache.bundles.layout import LIST_NAME
from workbench.engine.catalog import imported_folder
from workbench.engine.errors import WorkbenchError


class Bundles(Kind):
    """Damaged and hostile bundles."""

    name = "bundles"
    about = "bundles of models: refused, leaving nothing, or brought in with the very bytes that were exported"

    def prepare(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        with seeds.at_home(seeds.home()):
            cache.export_bundle(["tiny"], folder / "bundle.tar")
        self.raw = (folder / "bundle.tar").read_bytes()

    def check(self, source: Source, place: Path) -> None:
        home = seeds.copy_home(place)
        shutil.move(imported_folder() / "tiny", place / "exported")
        how = source.random.choice(("whole", "bytes", "bytes", "flip", "flip", "list", "list", "list", "member"))
        raw = self._packed(source, how)
        source.note(f"{how}: {len(raw)} bytes")
        path = place / "bundle.tar"
        path.write_bytes(raw)
        if cache.is_bundle(path):
            with refusable():
                try:
                    cache.import_bundle(path)
                except WorkbenchError as error:
                    demand(how != "whole", f"a good bundle was refused: {error}")
                    demand(not list(imported_folder().glob("*")), "refused, but something was taken in")
                    raise
                for file in (place / "exported").rglob("*"):
                    there = imported_folder() / "tiny" / file.relative_to(place / "exported")
                    demand(not (file.is_file() and there.is_file()) or file.read_bytes() == there.read_bytes(),
                           f"{file.name} is not what was exported")  # fmt: skip
        demand(path.read_bytes() == raw, "the user's bundle was changed")
        demand(not list(place.rglob("*PWNED*")), "a file was written elsewhere")
        no_leftovers(home)
        cache.inventory()

    def _packed(self, source: Source, how: str) -> bytes:
        if how == "bytes":
            return damage.in_bytes(source.random, self.raw)
        changed = bytearray(self.raw)
        if how == "flip":
            changed[source.random.randrange(len(changed))] ^= 1 << source.random.randrange(8)
            return bytes(changed)
        with tarfile.open(fileobj=io.BytesIO(self.raw)) as archive:
            files = {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]
        if how == "list":
            files[LIST_NAME] = damage.in_json(source, json.loads(files[LIST_NAME]))
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as archive:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            if how == "member":
                odd = odd_member(source.random)
                source.note(f"member {odd.name[:20]!r} {odd.type!r} {odd.linkname!r}")
                archive.addfile(odd, io.BytesIO(b"x" * odd.size))
        return self.raw if how == "whole" else buffer.getvalue()
