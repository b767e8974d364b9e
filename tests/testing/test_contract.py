"""Every check of the contract catches a method that is broken in just that respect."""

from __future__ import annotations

import gc
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import zoo.testing
from zoo.testing import CHECKS, ContractError, check_method
from zoo.utils.errors import ZooError

FAULTS = [
    ("NoModel", "class", r"zoo_fakes\.broken\.NoModel is no AnomalibModule; derive it"),
    ("Abstract", "class", "Abstract lacks learning_type, trainer_arguments; define"),
    ("Downloading", "constructor", r"the constructor reaches for 192\.0\.2\.1:80; build"),
    ("Demanding", "constructor", "missing 1 required positional argument.*; give every argument"),
    ("Bare", "components", "no pre_processor, post_processor, evaluator, visualizer; add"),
    ("Deaf", "components", "the constructor ignores post_processor; hand it"),
    ("OwnPostProcessor", "post-processor", "PostProcessor, not BlobPostProcessor; put ZooMethod"),
    ("OddTransform", "pre-processor", "another one after a checkpoint .*; use"),
    ("Cropping", "pre-processor", "crops images to their centre, .*: give the model"),
    ("Failing", "fit", "RuntimeError: out of patience at step 3; repair"),
    ("NoMap", "score map", "no score map; return"),
    ("Clamped", "score map", "several maps end at exactly 0.5; return raw"),
    ("ClampedBelow", "score map", "many scores are exactly 0; return raw"),
    ("Constant", "score map", "one score everywhere; return raw"),
    ("NotFinite", "score map", "a map holds NaN or infinite scores; look"),
    ("Coarse", "score map", r"the maps are \(8, 8\) for images of \(32, 32\); bring"),
    ("OneMap", "score map", r"6 images give maps of shape \(1, 32, 32\); return \(B, 1, h, w\)"),
    ("OneScore", "score map", "6 images give 1 image scores; return one"),
    ("UpsideDown", "sign", "pixels of a defect score .* lower .*; larger is more"),
    ("Turned", "sign", "pixels of a defect score .* lower .*; larger is more"),
    ("WrongScore", "sign", "anomalous images score .* normal ones .*; the image score must"),
    ("PerBatch", "batch", "otherwise in a batch, by .*; use nothing of other images"),
    ("Remembering", "batch", "otherwise the second time, by .*; use"),
    ("Unseeded", "seed", "maps that differ by .*; draw from"),
    ("Forgetful", "saved run", r"after zoo\.load the anomaly_map of 6 of 6 .* differs; keep"),
    ("Forgetful", "checkpoint", r"after Forgetful\.load_from_checkpoint .* differs; keep"),
    ("NativeOnly", "stock engine", "AttributeError: .*native_size.*; use nothing"),
]


@pytest.mark.parametrize(("name", "check", "says"), FAULTS)
def test_a_fault_is_found_by_its_check(fakes, name, check, says):
    with pytest.raises(ContractError, match=says) as caught:
        check_method(getattr(fakes, name), only=[check])
    assert {violation.check for violation in caught.value.violations} == {check}
    assert not caught.value.skipped
    assert all("\n" not in str(violation) for violation in caught.value.violations)


def test_every_check_is_tried():
    tried = {check for _, check, _ in FAULTS}
    others = {"class name", "card", "object names", "recipe", "run", "stock command line"}
    assert tried | others == set(CHECKS)
    assert not tried & others


def test_a_sound_method_keeps_the_contract(fakes, register, capfd, tmp_path, monkeypatch):
    register("fake", "zoo_fakes.sound:FakeMean")
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    check_method("fake")
    assert torch.equal(torch.random.get_rng_state(), before)
    assert capfd.readouterr() == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


def test_the_class_and_its_name_will_do_too(fakes, register):
    from zoo_fakes.sound import FakeMean

    register("fake", "zoo_fakes.sound:FakeMean")
    check_method(FakeMean, only=["card"])
    check_method("FakeMean", {"image_size": 24}, only=["class name", "components"])


def test_a_pre_processor_with_its_own_hooks_is_sound(fakes):
    check_method(fakes.HookedTransform, only=["pre-processor", "saved run", "checkpoint"])


def test_checks_that_depend_on_a_failed_one_are_named(fakes):
    with pytest.raises(ContractError) as caught:
        check_method(fakes.NotFinite, only=["sign", "seed", "pre-processor"])
    head, *lines = str(caught.value).splitlines()
    assert head == "NotFinite breaks the contract of the zoo"
    assert lines[0].startswith("  score map: a map holds NaN or infinite scores; look")
    assert lines[1:] == [
        "  sign: skipped, it needs score map",
        "  run: skipped, it needs score map",
        "  seed: skipped, it needs run",
    ]


def test_all_faults_are_listed_and_the_first_exception_is_kept(fakes):
    with pytest.raises(ContractError) as caught:
        check_method(fakes.Failing)
    checks = [violation.check for violation in caught.value.violations]
    assert checks == ["card", "fit", "stock engine"]
    assert isinstance(caught.value.__cause__, RuntimeError)


@pytest.fixture
def _forget_namesakes():
    yield
    gc.collect()  # classes live in cycles, and `--model Patchcore` looks at all that live


@pytest.mark.usefixtures("_forget_namesakes")
def test_a_class_called_like_one_of_anomalibs_is_refused(fakes):
    from zoo_fakes.sound import FakeMean

    namesake = type("Patchcore", (FakeMean,), {"__module__": "zoo_fakes.namesake"})
    with pytest.raises(ContractError, match=r"anomalib\.models\.\S+\.Patchcore has the name too"):
        check_method(namesake, only=["class name"])


def test_a_class_called_like_another_method_is_refused(fakes, register):
    register("twin", "zoo_elsewhere:twin")
    with pytest.raises(ContractError, match="zoo_elsewhere:twin of zoo-fakes has the name too"):
        check_method(fakes.Twin, only=["class name"])


def test_a_class_inside_a_function_is_refused(fakes):
    class Local(fakes.FakeMean):
        pass

    with pytest.raises(ContractError, match="Local is defined in a function; define it"):
        check_method(Local, only=["class"])


def test_a_class_that_cannot_be_imported_is_refused(fakes, register, tmp_path):
    register("fails", "zoo_fails:Fails")
    (tmp_path / "site" / "zoo_fails.py").write_text("import no_such_library", "utf-8")
    with pytest.raises(ContractError, match=r"class: .*No module named 'no_such_library'"):
        check_method("fails", only=["class"])


def test_an_import_that_downloads_is_refused(fakes, register, tmp_path):
    register("eager", "zoo_eager:Eager")
    code = "import socket\nsocket.getaddrinfo('example.org', 443)\n"
    (tmp_path / "site" / "zoo_eager.py").write_text(code, "utf-8")
    with pytest.raises(ContractError, match=r"class: importing it reaches for example\.org:443"):
        check_method("eager", only=["class"])


def test_a_method_without_an_entry_point_is_refused(fakes):
    with pytest.raises(ContractError, match=r"card: no entry point leads to zoo_fakes\.broken\.Tw"):
        check_method(fakes.Twin, only=["card"])


def test_a_card_without_a_field_is_refused(fakes, register, tmp_path):
    register("lone", "zoo_lone:Lone")
    (tmp_path / "site" / "zoo_lone.py").write_text("class Lone: pass", "utf-8")
    text = Path(sys.modules["zoo_fakes.sound"].__file__).with_name("card.yaml").read_text("utf-8")
    card = text.replace("name: fake", "name: lone").replace("learns: one_shot\n", "")
    (tmp_path / "site" / "zoo_lone.card.yaml").write_text(card, "utf-8")
    with pytest.raises(ContractError, match=r"card: .*field 'learns' is missing; add it"):
        check_method("lone", only=["card"])


def test_names_of_objects_are_refused_in_code_and_recipes(fakes):
    from zoo_fakes_naming import Routed

    with pytest.raises(ContractError) as caught:
        check_method(Routed, only=["object names"])
    code, recipe = map(str, caught.value.violations)
    assert "__init__.py:9 names the object 'Fruit Jelly'; one method" in code
    assert "recipe.yaml: the recipe names the object 'walnuts' at 'data.init_args.cat" in recipe


def test_a_run_that_cannot_be_written_is_found(fakes, monkeypatch):
    def train(experiment, fit):
        raise ZooError("no space left")

    monkeypatch.setattr("zoo.testing.method_under_test.run", train)
    with pytest.raises(ContractError, match="run: no space left; "):
        check_method(fakes.Twin, only=["seed"])


def test_arguments_that_no_recipe_can_hold_are_found(fakes):
    with pytest.raises(ContractError, match=r"recipe: .*expected int, got '32.5'; annotate"):
        check_method(fakes.NotForRecipes, {"image_size": 32.5}, only=["recipe"])


def test_what_the_stock_command_line_refuses_is_found(fakes, monkeypatch):
    def refuse(words):
        assert words[:2] == ["train", "--model=zoo_fakes.broken.Twin"]
        print("usage: ...\nerror: no such option", file=sys.stderr)
        sys.exit(2)

    monkeypatch.setattr("zoo.testing.checks.runs.AnomalibCLI", refuse)
    with pytest.raises(ContractError, match=r"train --model .*Twin is refused \(error: no"):
        check_method(fakes.Twin, only=["stock command line"])


def test_unknown_names_are_one_line(fakes):
    with pytest.raises(ZooError, match="there is no method 'nobody'"):
        check_method("nobody")
    with pytest.raises(ZooError, match="no check 'sing'; did you mean 'sign'"):
        check_method(fakes.Twin, only=["sing"])


def test_nothing_heavy_is_imported_before_it_is_used():
    code = "import sys, zoo.testing; print({'torch', 'anomalib', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_nobody_needs_pytest_to_use_it():
    files = list(Path(zoo.testing.__file__).parent.rglob("*.py"))
    assert len(files) > 10
    assert not [path for path in files if "import pytest" in path.read_text("utf-8")]


def test_the_images_are_the_same_everywhere(tmp_path):
    from zoo.testing.data import texture, truth, with_defect

    assert texture(0).shape == (64, 96, 3)
    assert np.array_equal(texture(0), texture(0))
    assert not np.array_equal(texture(0), texture(1))
    good, bad = texture(2), with_defect(texture(2))
    assert (good[~truth()] == bad[~truth()]).all()
    assert bad[truth()].mean() > good[truth()].mean() + 50
