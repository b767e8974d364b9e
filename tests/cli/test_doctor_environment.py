"""`zoo doctor` on the machine: packages, weights, cache, recipes, and who owns `import zoo`."""

import argparse

import pytest
from packaging.specifiers import SpecifierSet

from zoo.cli import doctor


def environment(name):
    """Return the checks of one group."""
    return {check.what: check for check in getattr(doctor, name)(argparse.Namespace())}


def test_doctor_looks_at_the_environment():
    assert environment("check_python")["python"].ok
    assert environment("check_weights")["embedded weights"].ok
    assert environment("check_versions").keys() == {*doctor.PACKAGES, "opencv"}


def test_doctor_tells_a_version_that_does_not_fit(monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", ("pytest", "no-such-package"))
    monkeypatch.setattr(doctor, "requirements", lambda: {"pytest": SpecifierSet("<2")})
    checks = environment("check_versions")
    assert not checks["pytest"].ok
    assert checks["pytest"].detail == f"{pytest.__version__}; pip install 'pytest<2'"
    assert checks["no-such-package"].detail == "not installed; pip install 'no-such-package'"


def test_doctor_finds_another_package_that_hides_ours(monkeypatch):
    owners = {"zoo": [doctor.DISTRIBUTION, "analytics-zoo"]}
    monkeypatch.setattr(doctor.metadata, "packages_distributions", lambda: owners)
    check = environment("check_zoo")["zoo"]
    assert not check.ok
    assert "pip uninstall analytics-zoo" in check.detail


def test_doctor_needs_a_cache_that_can_be_written(monkeypatch, tmp_path):
    monkeypatch.setenv("ANOMALIB_ZOO_CACHE", str(tmp_path / "cache"))
    assert environment("check_cache")["cache"].ok
    assert not (tmp_path / "cache").exists()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("ANOMALIB_ZOO_CACHE", str(tmp_path / "file" / "cache"))
    check = environment("check_cache")["cache"]
    assert not check.ok
    assert "ANOMALIB_ZOO_CACHE" in check.detail


def test_doctor_names_a_broken_recipe(monkeypatch, tmp_path):
    (tmp_path / "bad.yaml").write_text("data: 1")
    monkeypatch.setattr(doctor.recipes, "recipes_folder", lambda: tmp_path)
    checks = environment("check_recipes")
    assert checks["recipes"].ok
    assert "names no model" in checks["bad"].detail


def test_doctor_survives_a_check_that_breaks(capsys, monkeypatch):
    def check_odd(args):
        raise OSError("no disk")
        yield

    monkeypatch.setattr(doctor, "CHECKS", (check_odd, doctor.check_python))
    arguments = argparse.Namespace(names=[], json=False)
    assert doctor.run(arguments) == 1
    out = capsys.readouterr().out
    assert "FAIL  odd" in out
    assert "OSError: no disk" in out
    assert "ok    python" in out
