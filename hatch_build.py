"""Compiles what is there compiled too (``engine/native``), where there is a C compiler; without one nothing is lost."""

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

NATIVE = Path("engine", "native")


class Compiles(BuildHookInterface):
    """For a wheel as for an editable install, into the folder of its source."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        try:
            made = compiled(Path(self.root))
        except (BaseError, CCompilerError, OSError) as error:
            self.app.display_warning(f"not compiled, backtests with many orders take longer: {error}")
            return
        build_data["artifacts"].append(made.as_posix())
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def compiled(root: Path) -> Path:
    """The extension's place under ``root``.

    Raises:
        BaseError, CCompilerError, OSError: there is no compiler, or it refuses.
    """
    native = root / NATIVE
    source = runpy.run_path(str(native / "sources.py"))["digest"]()
    depends = [str(path) for path in native.glob("*.h")]
    made_of = ("SLUICE_SOURCE", f'"{source}"')
    part = Extension("engine.native.short_way", [str(native / "short_way.c")], depends=depends, define_macros=[made_of])
    builder = build_ext(Distribution({"name": "sluice", "ext_modules": [part], "package_dir": {"": str(root)}}))
    builder.inplace = True
    builder.build_temp = str(root / "build")
    builder.ensure_finalized()
    builder.run()
    return Path(builder.get_ext_fullpath(part.name)).relative_to(root)
