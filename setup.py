"""Build step that pyproject.toml cannot express: copy the demo voice from cache/ into the package."""

from __future__ import annotations

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

VOICE = Path("cache", "demo-voice")
PLACE = Path("workbench", "bundled", "demo-voice")  # where engine/files/places.py looks for it


class BuildWithVoice(build_py):
    """build_py that adds the demo voice; an editable install uses the one in the checkout."""

    def _voice(self) -> dict[str, str]:
        files = [path for path in VOICE.rglob("*") if path.is_file()]
        return {str(Path(self.build_lib, PLACE, path.relative_to(VOICE))): str(path) for path in sorted(files)}

    def run(self) -> None:
        """Build the package, then copy the voice into it."""
        super().run()
        if not self.editable_mode:
            for target, source in self._voice().items():
                self.mkpath(str(Path(target).parent))
                self.copy_file(source, target)

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        """Return all built files, including the voice."""
        return [*super().get_outputs(include_bytecode), *([] if self.editable_mode else self._voice())]


setup(cmdclass={"build_py": BuildWithVoice})
