"""The Dockerfile, as far as it can be tried without building it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from zoo.cli import bench
from zoo.cli.dispatch import Parser

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
TEXT = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text("utf-8"))
STEPS = [line.split(" ", 1) for line in TEXT.splitlines() if line and not line.startswith("#")]
# What python:slim has: the C and C++ runtimes and zlib.
SLIM = {"libc.so.6", "libm.so.6", "libdl.so.2", "librt.so.1", "libpthread.so.0", "libutil.so.1"}
SLIM |= {"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1", "libgcc_s.so.1", "libstdc++.so.6"}
SLIM |= {"libz.so.1"}
NOT_FOR_A_CPU = {"libOpenCL.so.1", "libze_loader.so.1", "libcuda.so.1"}


def steps(name):
    return [rest for step, rest in STEPS if step == name]


def copied():
    return [source for rest in steps("COPY") for source in rest.split()[:-1]]


def test_what_is_copied_is_there_and_not_ignored():
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert "*" in lines
    for source in copied():
        assert (ROOT / source).exists(), source
        assert f"!{source}" in lines, source


def test_everything_that_the_package_is_built_from_is_copied():
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    wanted = {"pyproject.toml", PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]}
    wanted |= {*wheel["packages"], *wheel["force-include"]}
    for path in wanted:
        assert any(fnmatch(path, f"{source}*") for source in copied()), path


def test_its_python_and_its_extras_are_those_of_the_project():
    [base] = steps("FROM")
    version = re.fullmatch(r"python:([\d.]+)-slim", base)[1]
    assert version in SpecifierSet(PROJECT["project"]["requires-python"])
    extras = dict(rest.split("=", 1) for rest in steps("ARG"))["EXTRAS"].split(",")
    assert set(extras) <= set(PROJECT["project"]["optional-dependencies"])


def test_it_runs_the_command_and_not_as_root():
    assert steps("ENTRYPOINT") == ['["zoo"]']
    assert steps("USER")[-1] == "zoo"
    assert "useradd" in steps("RUN")[-1]


def test_opencv_needs_no_display():
    named = {Requirement(each).name for each in PROJECT["project"]["dependencies"]}
    assert "opencv-python-headless" in named
    assert "opencv-python" not in named


@pytest.mark.skipif(shutil.which("readelf") is None, reason="binutils are not installed")
@pytest.mark.parametrize("package", ["cv2", "torch", "torchvision", "openvino", "onnxruntime"])
def test_libraries_need_only_what_the_base_image_has(package):
    spec = find_spec(package)
    if spec is None:
        pytest.skip(f"{package} is not installed")
    site = Path(spec.origin).parents[1]
    own = [path for path in (site / package).rglob("*.so*") if path.is_file()]
    bundled = [*own, *site.glob("*.libs/*"), *(site / "torch").rglob("*.so*")]
    bundled += (site / "nvidia").rglob("*.so*")
    read = subprocess.run(["readelf", "-d", *own], capture_output=True, text=True, check=True)
    needed = set(re.findall(r"\(NEEDED\).*\[(.+)\]", read.stdout))
    assert len(needed) > 3
    assert needed - {path.name for path in bundled} <= SLIM | NOT_FOR_A_CPU


def test_the_documented_runs_are_understood():
    page = (ROOT / "docs" / "cluster.md").read_text("utf-8").replace("\\\n", " ")
    [line] = [line for line in page.splitlines() if line.startswith("docker run")]
    words = shlex.split(line)
    verb, *rest = words[words.index("anomalib-zoo") + 1 :]
    assert verb == "bench"
    parser = Parser(prog="zoo bench", allow_abbrev=False)
    bench.add_arguments(parser)
    parser.parse_args(rest)
