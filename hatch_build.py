"""Compiles what is there compiled too (``engine/native``), where there is a C compiler; without one nothing is lost."""

import runpy
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools import Distribution, Extension
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError

NATIVE = Path("engine", "native")
ARGUMENTS = {"win32": [], "linux": ["-ffp-contract=off", "-fno-plt"]}
"""Doubles are rounded after each step, as Python rounds them; and Python's functions are called without a detour, which
is worth a fiftieth of a run by columns."""


class Compiles(BuildHookInterface):
    """For a wheel as for an editable install, into the folder of its source."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        try:
            places = compiled(Path(self.root))
        except (BaseError, CCompilerError, OSError) as error:
            self.app.display_warning(f"not compiled, backtests with many orders take longer: {error}")
            return
        build_data["artifacts"] += [place.as_posix() for place in places]
        build_data["pure_python"] = False
        build_data["infer_tag"] = True


def compiled(root: Path) -> list[Path]:
    """The extensions' places under ``root``.

    Raises:
        BaseError, CCompilerError, OSError: there is no compiler, or it refuses.
    """
    native = root / NATIVE
    source = runpy.run_path(str(native / "sources.py"))["digest"]()
    terms: dict[str, Any] = {
        "depends": [str(path) for path in native.glob("*.h")],
        "define_macros": [("SLUICE_SOURCE", f'"{source}"')],
        "extra_compile_args": ARGUMENTS.get(sys.platform, ["-ffp-contract=off"]),
    }
    parts = [Extension(f"engine.native.{path.stem}", [str(path)], **terms) for path in sorted(native.glob("*.c"))]
    builder = build_ext(Distribution({"name": "sluice", "ext_modules": parts, "package_dir": {"": str(root)}}))
    builder.inplace = True
    with TemporaryDirectory() as place:
        builder.build_temp, builder.build_lib = place, str(Path(place, "lib"))
        builder.ensure_finalized()
        builder.run()
    return [Path(builder.get_ext_fullpath(part.name)).relative_to(root) for part in parts]
