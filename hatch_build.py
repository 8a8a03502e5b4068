"""Compiles the catalogs to JSON for the wheel: installed, joulecast parses no TOML at its start."""

import json
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Catalogs(BuildHookInterface):
    """Puts `NAME.json` beside each `NAME.toml` of the wheel; the source tree stays as it is."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See hatchling. An editable installation reads the source tree, which may change."""
        if version == "editable":
            return
        self.compiled = tempfile.TemporaryDirectory()
        source = Path(self.root, "src")
        for file in sorted(source.glob("joulecast/hardware/catalog/data/*.toml")):
            target = Path(self.compiled.name, f"{file.stem}.json")
            content = tomllib.loads(file.read_text(encoding="utf-8"))
            target.write_text(json.dumps(content), encoding="utf-8")
            place = file.relative_to(source).with_suffix(".json")
            build_data["force_include"][str(target)] = place.as_posix()

    def finalize(self, *_: object) -> None:
        """Remove what was compiled."""
        if hasattr(self, "compiled"):
            self.compiled.cleanup()
