"""A method in a distribution of its own, and the tutorial that builds it from an empty folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import torch

from zoo.cli import main
from zoo.cli.outside import GROUP, load_verb
from zoo.methods.registry import load_all
from zoo.recipes.files import find_recipe, method_of
from zoo.recipes.trust import check_recipe
from zoo.results.rows import read_rows
from zoo.runs.check import read_calibration
from zoo.utils.errors import ZooError
from zoo.utils.plain_yaml import read_yaml

ROOT = Path(__file__).parents[1]
OUTSIDER = ROOT / "tests" / "outsider"
TUTORIAL = ROOT / "docs" / "add-a-method.md"
MOST_LINES = 50
# A file with its name above it, or commands, or lines that the commands before it print.
BLOCK = re.compile(r"(?:\*\*`(\S+)`\*\*\n\n)?^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NUMBER = r"\d+\.\d+"
# The commands that the tutorial uses, as scripts of a new environment: ours has the programs. What
# pip builds with is installed here, so that nothing needs a network.
COMMANDS = {
    "zoo": "-c 'import sys; from zoo.cli import main; sys.exit(main())' \"$@\"",
    "pip": '-m pip "$@" --no-index --no-build-isolation',
}


def blocks():
    """Return the tutorial's blocks in order: a file's name or nothing, language, text."""
    return BLOCK.findall(TUTORIAL.read_text("utf-8"))


def files():
    return {name: text for name, _, text in blocks() if name}


def assert_printed(excerpt, output):
    """Check that lines of the tutorial are printed in this order, with nearly these numbers."""
    lines = iter(output.splitlines())
    for line in excerpt.splitlines():
        pattern = re.escape(line).replace(r"\.\.\.", ".*")
        pattern = re.sub(r"(\\ )+", lambda _: r"\s+", pattern)
        pattern = re.sub(r"\d+\\\.\d+", lambda _: f"({NUMBER})", pattern)
        found = next(filter(None, (re.search(pattern, printed) for printed in lines)), None)
        assert found, f"the tutorial promises {line!r}, but this is what was printed:\n{output}"
        promised = [float(number) for number in re.findall(NUMBER, line)]
        assert [float(number) for number in found.groups()] == pytest.approx(promised, rel=0.1)


def test_the_tutorial_shows_the_files_of_the_outsider():
    on_disk = {
        path.relative_to(OUTSIDER).as_posix(): path.read_text("utf-8")
        for path in OUTSIDER.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert files() == on_disk


def test_the_method_is_short():
    assert len(files()["zoo_template/__init__.py"].splitlines()) <= MOST_LINES


def test_links_of_the_tutorial_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)", TUTORIAL.read_text("utf-8")):
        assert (TUTORIAL.parent / target).exists(), target


@pytest.mark.parametrize(
    ("excerpt", "output", "fits"),
    [
        ("a ... 0.50, ...\nb", "x\n a  1 0.52, c\nb", True),
        ("a 0.50", "a 0.60", False),
        ("a\nb", "b\na", False),
        ("a ...", "b c", False),
    ],
)
def test_a_promise_is_kept_or_not(excerpt, output, fits):
    if fits:
        assert_printed(excerpt, output)
    else:
        with pytest.raises(AssertionError):
            assert_printed(excerpt, output)


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Build the distribution, install it into a scratch site, and import from there."""
    site = tmp_path_factory.mktemp("site")
    offline = ["--no-index", "--no-deps", "--no-build-isolation"]
    command = [sys.executable, "-m", "pip", "install", "-q", *offline, "--target", site, OUTSIDER]
    subprocess.run(command, check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(site)
        yield site


@pytest.mark.usefixtures("installed")
def test_the_outsider_is_listed_and_shown(capsys):
    assert main(["list"]) == 0
    [row] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("template ")]
    assert "anomalib-zoo-template 0.1.0" in row
    assert row.endswith("ok")
    assert main(["show", "Template"]) == 0
    text = capsys.readouterr().out
    assert "VAND 4 admissible: yes" in text
    assert "template/256" in text


@pytest.mark.usefixtures("installed")
@pytest.mark.slow
def test_the_outsider_is_trained_by_its_short_name_and_benched(tmp_path, mini, capsys):
    runs = tmp_path / "runs"
    data = ["--data.root", str(mini)]
    small = ["--model.weights", "random", "--model.image_size", "64"]
    words = ["train", "--model", "Template", *small, "--data", "MVTecAD2Layout", *data]
    assert main([*words, "--data.category", "part", "--default_root_dir", str(runs)]) == 0
    assert (runs / "Template" / "part" / "seed0" / "model.ckpt").is_file()
    assert main(["bench", "template/256", *data, "--out", str(runs)]) == 0
    assert "| template/256 | template | yes | 1 | 1 |" in capsys.readouterr().out
    rows = read_rows([runs])
    assert set(rows["method"]) == {"template"}
    assert rows["segf1"].notna().all()
    run = runs / "template-256" / "part" / "seed0"
    assert main(["calibrate", str(run), "--rule", "MeanOfMaxima"]) == 0
    assert read_calibration(run).rule == "MeanOfMaxima"
    capsys.readouterr()
    assert main(["thresholds", str(runs)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.endswith("(MeanOfMaxima)") for line in lines] == [False, True]


@pytest.mark.usefixtures("installed")
def test_a_recipe_of_the_outsider_is_found_by_name_and_path():
    recipe = find_recipe("template/256")
    assert recipe.name == find_recipe(str(recipe.path)).name == "template/256"
    assert method_of(recipe) == "Template"
    check_recipe(read_yaml(recipe.path), recipe.name)


@pytest.mark.usefixtures("installed")
def test_a_rule_of_the_outsider_may_stand_in_a_recipe():
    rule = {"class_path": "zoo_template.rules.MeanOfMaxima", "init_args": {"min_area_px": 5}}
    post_processor = {"class_path": "zoo.methods.BlobPostProcessor", "init_args": {"rule": rule}}
    model = {"class_path": "Template", "init_args": {"post_processor": post_processor}}
    load_all()
    check_recipe({"model": model}, "mine.yaml")


@pytest.mark.usefixtures("installed")
def test_a_verb_of_the_outsider_has_help_and_checks_its_arguments(capsys):
    assert main(["--help"]) == 0
    [line] = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("  thresholds")
    ]
    assert "print the threshold" in line
    assert main(["thresholds", "runs", "--wrong"]) == 1
    assert "--wrong" in capsys.readouterr().err
    assert main(["treshold"]) == 1
    assert "did you mean 'thresholds'" in capsys.readouterr().err


@pytest.mark.parametrize("value", ["no_such_module", "json", "zoo_template:Missing"])
def test_a_broken_verb_is_one_line(value, installed):
    with pytest.raises(ZooError, match="verb 'mine'"):
        load_verb(EntryPoint("mine", value, GROUP))


@pytest.mark.usefixtures("installed")
def test_batches_add_up_to_the_mean_and_variance_of_all_images():
    from zoo_template import TemplateModel

    model = TemplateModel("random")
    images = torch.rand(5, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    for batch in (images[:3], images[3:4], images[4:]):
        model.train()  # as lightning does; the network must not learn
        model.learn(batch)
    with torch.no_grad():
        [features] = model.eval().network(images)
    count, total, squares = model.sums
    mean = total / count
    torch.testing.assert_close(mean, features.mean(0))
    variance = squares / count - mean**2
    torch.testing.assert_close(variance, features.var(0, unbiased=False), rtol=1e-3, atol=1e-4)


@pytest.mark.usefixtures("installed")
def test_a_place_is_scored_in_standard_deviations():
    from zoo_template import TemplateModel

    model = TemplateModel("random").eval()
    images = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        [[features]] = model.network(images)
        # All features are 3 from their mean, with a variance of 2 everywhere: 3 / sqrt(2 + 2).
        mean = features - 3
        model.sums = torch.stack([torch.ones_like(mean), mean, mean**2 + 2])
        result = model(images)
    assert result.anomaly_map.shape == (1, 1, 64, 96)
    torch.testing.assert_close(result.anomaly_map, torch.full((1, 1, 64, 96), 1.5))
    torch.testing.assert_close(result.pred_score, torch.tensor([1.5]))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the commands of the tutorial are run by bash")
def test_the_tutorial_works_as_written(tmp_path):
    commands = environment(tmp_path / "environment")
    folder = tmp_path / "anomalib-zoo-template"
    folder.mkdir()
    output, run = "", 0
    for name, language, text in blocks():
        if name:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        elif language == "bash":
            output = bash(text, folder, commands)
            run += 1
        else:
            assert_printed(text, output)
    assert run > 8
    assert set(read_rows([folder / "runs"])["object"]) == {"weave", "badge", "beans"}


def environment(folder):
    """Make an environment that sees the packages of this one; return the folder of its commands."""
    venv.create(folder)
    python = folder / "bin" / "python"
    [site] = folder.glob("lib/python*/site-packages")
    # addsitedir, because editable packages are .pth files themselves
    ours = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (site / "ours.pth").write_text(ours, encoding="utf-8")
    for name, words in COMMANDS.items():
        script = python.with_name(name)
        script.write_text(f'#!/bin/sh\nexec "{python}" {words}\n', encoding="utf-8")
        script.chmod(0o755)
    return python.parent


def bash(text, folder, commands):
    """Run a block of commands in a folder and return what it prints; an error fails the test."""
    path = os.pathsep.join([str(commands), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-e", "-c", text],
        cwd=folder,
        env=os.environ | {"PATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}"
    return done.stdout
