"""`zoo list`, `zoo show` and `zoo doctor` on one distribution of good and broken methods."""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from zoo.cli import doctor
from zoo.cli import list as list_verb
from zoo.cli import show as show_verb
from zoo.methods import registry
from zoo.recipes.files import recipe_names
from zoo.utils.errors import ZooError

ROOT = Path(__file__).parents[2]
CARD = ROOT / "plugins" / "zoo_plugins" / "patchcore" / "card.yaml"
MEASURED = ROOT / "results" / "real_photographs.csv"
METHOD = "class AnomalibModule: pass\nclass Good(AnomalibModule): pass\nclass Odd: pass\n"


@pytest.fixture(autouse=True)
def demo(tmp_path, monkeypatch):
    """Install a distribution with a good method and three that are broken in different ways."""
    text = CARD.read_text("utf-8")
    entries = {
        "good": "cli_good:Good",
        "fails": "cli_fails:Fails",
        "odd": "cli_odd:Odd",
        "missing": "cli_missing:Missing",
    }
    files = {
        "demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        "demo-1.0.dist-info/entry_points.txt": "\n".join(
            [f"[{registry.GROUP}]", *(f"{name} = {target}" for name, target in entries.items())]
        ),
        "cli_good.py": METHOD,
        "cli_fails.py": "print('noise')\nimport no_such_library",
        "cli_odd.py": METHOD,
    }
    for name in ("good", "fails", "odd"):
        files[f"cli_{name}.card.yaml"] = text.replace("name: patchcore", f"name: {name}", 1)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(registry.ONLY, ",".join(entries))


def run(verb, *words):
    """Run a verb as the command line does."""
    parser = argparse.ArgumentParser()
    verb.add_arguments(parser)
    return verb.run(parser.parse_args(words))


def test_list_has_a_row_for_every_method(capsys):
    assert run(list_verb) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[0] == "name"
    assert [row.split()[0] for row in rows] == ["fails", "good", "missing", "odd"]
    assert rows[1].endswith("ok")
    assert "CVPR (2022)" in rows[1]
    assert "no module 'cli_missing'" in rows[2]


def test_list_json_has_every_field(capsys):
    assert run(list_verb, "--json") == 0
    records = {record["name"]: record for record in json.loads(capsys.readouterr().out)}
    fields = "name class target package version title paper licences needs learns status problem"
    assert all(list(record) == [*fields.split(), "recipes"] for record in records.values())
    good, missing = records["good"], records["missing"]
    assert good["package"] == "demo"
    assert good["version"] == "1.0"
    assert good["class"] == "Good"
    assert good["paper"]["year"] == 2022
    assert good["licences"] == {"code": "Apache-2.0", "weights": "Apache-2.0"}
    assert good["needs"]["offline"] is True
    assert (good["status"], good["problem"]) == ("ok", None)
    assert (missing["status"], missing["title"]) == ("problem", None)
    assert "cli_missing" in missing["problem"]


def test_list_markdown_is_the_index_of_methods(capsys):
    assert run(list_verb, "--markdown") == 0
    head, rule, *rows = capsys.readouterr().out.splitlines()
    assert head.startswith("| method | name | paper | idea | learns | setting |")
    assert rule == "|---" * 9 + "|"
    assert [row.split(" | ")[1] for row in rows] == ["`fails`", "`good`", "`missing`", "`odd`"]
    assert "[CVPR 2022](https://arxiv.org/abs/2106.08265) | Keep a subsampled bank" in rows[1]
    assert "nothing is trained. | no training | regular | Apache-2.0 / Apache-2.0 |" in rows[1]
    assert rows[2] == "| Missing | `missing` | - | - | - | - | - | - | - |"


def test_list_recipes_has_a_row_for_every_recipe(capsys):
    assert run(list_verb, "--recipes") == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split()[:3] == ["recipe", "method", "backbone"]
    assert [row.split()[0] for row in rows] == recipe_names()
    assert run(list_verb, "--recipes", "--markdown") == 0
    assert "| padim/stock | Padim | efficientnet_lite0_embedded | 256 x 256 | " in (
        printed := capsys.readouterr().out
    )
    assert len(printed.splitlines()) == len(rows) + 2


def test_list_recipes_json_says_why_not(capsys):
    assert run(list_verb, "--recipes", "--json") == 0
    facts = {each["recipe"]: each for each in json.loads(capsys.readouterr().out)}
    assert facts["padim/stock"]["vand4"].startswith("no: no card says what Padim reads")
    assert facts["inpformer/highres"]["images"] == "windows of 1024 at 518"


def test_list_without_methods_says_so(capsys, monkeypatch):
    monkeypatch.setenv(registry.ONLY, "")
    assert run(list_verb) == 0
    assert capsys.readouterr().out == "no methods are installed\n"
    assert run(list_verb, "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    "words", [["list"], ["list", "--json"], ["list", "--recipes"], ["show", "good"]]
)
def test_nothing_heavy_is_imported(words):
    code = (
        "import sys\n"
        "from zoo.cli import main\n"
        f"code = main({words!r})\n"
        "heavy = {'torch', 'anomalib', 'pandas', 'numpy', 'cli_good', 'cli_fails', 'zoo_plugins'}\n"
        "sys.exit(str(sorted(heavy & set(sys.modules)) if heavy & set(sys.modules) else code))\n"
    )
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr.strip() == "0"
    assert ("quickstart" if "--recipes" in words else "good") in done.stdout


def test_show_prints_the_card_for_people(capsys, monkeypatch):
    recipe = show_verb.Recipe("good/embedded", CARD)
    monkeypatch.setattr(show_verb, "recipes_for", lambda name: [recipe] if name == "Good" else [])
    assert run(show_verb, "Good") == 0
    text = capsys.readouterr().out
    assert "Towards Total Recall" in text
    assert "fcaa92f124fb1ad74a7acf56726decd4b27cbcad" in text
    assert "VAND 4 admissible: yes, regular" in text
    assert "  - The whole image is resized, without a centre crop" in text
    assert "zoo bench good/embedded" in text


def test_show_tells_what_the_papers_leave_open(capsys, tmp_path):
    card = tmp_path / "cli_good.card.yaml"
    facts = yaml.safe_load(card.read_text("utf-8"))
    said = {}
    for assumed in ([], ["The crop is not stated; none is taken."]):
        card.write_text(yaml.safe_dump(facts | {"assumed": assumed}), encoding="utf-8")
        assert run(show_verb, "good") == 0
        said[len(assumed)] = capsys.readouterr().out
    heading = "Assumed where the papers are silent"
    assert heading not in said[0]
    assert f"{heading}\n  - The crop is not stated; none is taken.\n" in said[1]


def test_show_json_holds_card_verdict_and_recipes(capsys):
    assert run(show_verb, "good", "--json") == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["name"] == "good"
    assert shown["card"]["reference"]["licence"] == "Apache-2.0"
    assert shown["vand4"]["admissible"] is True
    assert shown["recipes"] == []


def test_show_markdown_is_a_page(capsys, monkeypatch):
    recipe = show_verb.Recipe("good/embedded", CARD)
    monkeypatch.setattr(show_verb, "recipes_for", lambda name: [recipe] if name == "Good" else [])
    assert run(show_verb, "good", "--markdown") == 0
    page = capsys.readouterr().out
    assert page.startswith("Keep a subsampled bank")
    assert "| Name | `good`, class `Good` of demo |" in page
    assert "| VAND 4.0 | admissible: yes, regular setting, reads train and validation" in page
    assert "| `good/embedded` | - | CPU, offline |" in page
    assert "## Results\n\nNone yet in `results/real_photographs.csv`." in page
    assert "\n- All training images are normal" in page


def test_the_page_of_a_measured_method_has_its_rows(capsys, monkeypatch):
    monkeypatch.delenv(registry.ONLY)
    assert run(show_verb, "patchcore", "--markdown") == 0
    [row] = re.findall(r"\| `patchcore/embedded` \| kolektor \|.*", capsys.readouterr().out)
    measured = pd.read_csv(MEASURED)
    mine = measured[
        (measured["recipe"] == "patchcore/embedded") & (measured["object"] == "kolektor")
    ]
    assert f"| {mine['seed'].nunique()} |" in row
    for split in ("test_public", "test_private", "test_private_mixed"):
        assert f" {100 * mine[mine['split'] == split]['segf1'].mean():.1f} %" in row


def test_show_markdown_of_a_method_without_a_card_tells_the_problem(capsys):
    assert run(show_verb, "missing", "--markdown") == 1
    assert "no module 'cli_missing'" in capsys.readouterr().out


def test_show_tells_the_problem(capsys):
    assert run(show_verb, "missing") == 1
    assert "no module 'cli_missing'" in capsys.readouterr().out
    with pytest.raises(ZooError, match="no method 'god'"):
        run(show_verb, "god")


def test_doctor_names_the_broken_methods(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "CHECKS", (doctor.check_methods,))
    assert run(doctor) == 1
    lines = {line.split()[1]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["good"].startswith("ok")
    assert lines["fails"].startswith("FAIL")
    assert lines["fails"].endswith("ModuleNotFoundError: No module named 'no_such_library'")
    assert "no module 'cli_missing'" in lines["missing"]


def test_doctor_refuses_a_class_that_is_no_anomalib_model(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "CHECKS", (doctor.check_methods,))
    assert run(doctor, "odd") == 1
    assert "not an AnomalibModule" in capsys.readouterr().out


def test_doctor_of_a_good_method_is_content(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "CHECKS", (doctor.check_methods,))
    assert run(doctor, "good", "--json") == 0
    assert json.loads(capsys.readouterr().out) == [
        {"ok": True, "what": "good", "detail": "Good of demo 1.0"}
    ]


def test_doctor_stops_an_import_that_takes_too_long(capsys, monkeypatch, tmp_path):
    (tmp_path / "cli_good.py").write_text("import time\ntime.sleep(60)")
    monkeypatch.setattr(doctor, "CHECKS", (doctor.check_methods,))
    assert run(doctor, "good", "--timeout", "0.5") == 1
    assert "raise --timeout" in capsys.readouterr().out


def test_doctor_reports_an_unknown_method_as_a_failure(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "CHECKS", (doctor.check_methods,))
    assert run(doctor, "god") == 1
    assert "no method 'god'" in capsys.readouterr().out


def test_doctor_without_cuda_says_so_in_one_failing_line(capsys, monkeypatch):
    monkeypatch.setattr(doctor, "CHECKS", (doctor.check_gpu,))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert run(doctor, "--gpu") == 1
    [line] = capsys.readouterr().out.splitlines()
    assert line.startswith("FAIL  gpu ")
    assert "sees no CUDA device; " in line
    assert run(doctor) == 0
    assert capsys.readouterr().out == ""


def test_doctor_compares_every_method_on_cuda_and_goes_on_after_a_failure(capsys, monkeypatch):
    from zoo.testing import devices

    def compare(name):
        if name == "fails":
            raise RuntimeError("CUDA out of memory\nsomewhere")
        return devices.DeviceComparison(("cpu", "cuda"), 0.5 if name == "odd" else 0.0, 0.0, 321.0)

    monkeypatch.setattr(doctor, "CHECKS", (doctor.check_gpu,))
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "A Card")
    monkeypatch.setattr(devices, "compare_devices", compare)
    assert run(doctor, "--gpu") == 1
    lines = {line.split()[1]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["gpu"].endswith("A Card")
    assert lines["fails"].endswith("RuntimeError: CUDA out of memory somewhere")
    assert lines["good"].startswith("ok")
    assert lines["good"].endswith("peak 321 MB")
    assert lines["odd"].startswith("FAIL")
    assert run(doctor, "good", "--gpu") == 0
