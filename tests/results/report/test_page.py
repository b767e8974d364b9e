"""The page as a whole: it parses, needs nobody else, and holds every run, also half of one."""

from __future__ import annotations

import json
import re
import shutil
from html.parser import HTMLParser

import pandas as pd
import pytest

from zoo.cli import main
from zoo.metrics import load_splits, save_splits
from zoo.postprocess import Calibration
from zoo.runs.calibrations import set_calibration

VOID = {"meta", "link", "input", "img", "wbr"}


class Page(HTMLParser):
    """Checks that elements are closed in order, and collects elements and texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


def report(runs, *words) -> str:
    out = runs.parent / "out" / "report.html"
    assert main(["report", str(runs), "--out", str(out), *words]) == 0
    return out.read_text("utf-8")


@pytest.fixture(scope="module")
def whole(_runs, tmp_path_factory):
    """Return the report of all runs, for tests that only read it."""
    out = tmp_path_factory.mktemp("page") / "report.html"
    assert main(["report", str(_runs), "--out", str(out)]) == 0
    return out.read_text("utf-8")


def test_a_page_needs_nobody_else_and_holds_every_run(whole):
    text, page = whole, Page(whole)
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "data"):
            assert not re.match(r"(https?:)?//", attributes.get(name) or "")
    assert not re.search(r"url\((?!#)|@import|fetch\(|XMLHttpRequest", text)
    names = " ".join(page.texts)
    for recipe, seeds in (("m/quick", (0, 1)), ("m/large", (0,))):
        for name in ("cup", "plate"):
            for seed in seeds:
                assert f"{recipe} · {name} · seed {seed}" in names
    assert len([each for each in page.all("details") if "run" in each["class"]]) == 6
    assert len(page.all("img")) == 6 * 8 * 3


def test_it_can_be_heard_and_reached_by_keyboard(whole):
    page = Page(whole)
    assert page.all("html") == [{"lang": "en"}]
    assert all(each.get("alt") for each in page.all("img"))
    assert all(each.get("scope") for each in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    charts = [each for each in page.all("svg") if each.get("role") == "img"]
    assert len(charts) == 6 + 6 * 3
    scrolled = [each for each in page.all("div") if each.get("class") == "scroll"]
    assert all(each["tabindex"] == "0" and each["aria-label"] for each in scrolled)


def test_tables_keep_apart_what_does_not_compare(whole):
    text = whole
    ours, _, published = text.partition('<section id="published">')
    assert "SuperADD" in published
    assert "SuperADD" not in ours
    assert "Another data set: not comparable" in published
    for head in re.findall(r"<thead>(.*?)</thead>", text, re.S):
        names = [re.sub("<.*?>", "", cell).strip() for cell in head.split("</th>")]
        assert len(names) == len(set(names))
    assert "ms, MB" in ours


def test_half_a_run_is_shown_as_far_as_it_goes(runs):
    folder = runs / "m-quick" / "cup" / "seed0"
    (folder / "cost.json").unlink()
    other = runs / "m-quick" / "cup" / "seed1"
    (other / "calibration.json").write_text("{")
    for path in (other / "cases").rglob("*"):
        if path.is_file():
            path.unlink()
    third = runs / "m-large" / "cup" / "seed0"
    (third / "rule_histograms.npz").write_bytes(b"torn")
    text = report(runs, "--cases", "0")
    assert "no readable calibration.json, so no limits" in text
    assert "no images in cases/" in text
    assert "no readable rule_histograms.npz" in text
    page = Page(text)
    curves = [each for each in page.all("svg") if each.get("role") == "img"]
    assert len(curves) == 6 + 4 * 3


def test_figures_are_of_the_calibration_that_made_them(runs):
    folder = runs / "m-quick" / "cup" / "seed0"
    set_calibration(folder, Calibration(77.0, rule="Maximum"))
    text = report(runs, "--cases", "0")
    assert "calibrated again since" in text
    assert "threshold 77" not in text


def test_limits_among_scores_are_said_in_figures(runs, whole):
    splits = load_splits(runs / "m-quick" / "cup" / "seed0" / "rule_histograms.npz")
    above = splits["test_private"].defect
    levels, counts = above.levels()
    share = counts[levels > 2].sum() / counts.sum()
    assert f"{100 * share:.3g} % of defective ones." in whole


def test_runs_without_known_truth_have_no_curves(runs):
    for path in runs.rglob("*histograms.npz"):
        save_splits(path, {})
    page = Page(report(runs, "--cases", "0"))
    assert len([each for each in page.all("svg") if each.get("role") == "img"]) == 6


def test_names_of_strangers_are_texts(runs, write_report_run):
    evil = "<script>alert(1)<script>"
    folder = write_report_run(runs, "m/evil", "cup", 0, 0.5)
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(metrics | {"recipe": evil, "object": evil}))
    text = report(runs, "--cases", "0")
    assert evil not in text
    assert len(Page(text).all("script")) == 1


def test_a_csv_has_tables_and_charts_but_no_runs(runs, tmp_path, capsys):
    assert main(["table", str(runs), "--format", "csv"]) == 0
    (tmp_path / "rows.csv").write_text(capsys.readouterr().out)
    page = Page(report(tmp_path / "rows.csv"))
    assert not page.all("details")[1:]
    assert len(page.all("svg")) == 6


def test_own_pictures_have_a_table_of_their_own(runs):
    for path in runs.rglob("metrics.json"):
        metrics = json.loads(path.read_text())
        metrics["splits"] = {"test": metrics["splits"]["test_public"]}
        path.write_text(json.dumps(metrics))
    text = report(runs, "--cases", "0")
    assert "Runs on own images" in text
    assert "SuperADD" not in text


def test_failed_runs_are_named_with_their_reason(runs):
    folder = runs / "m-quick" / "saucer" / "seed0"
    folder.mkdir(parents=True)
    facts = {"recipe": "m/quick", "object": "saucer", "seed": 0, "reason": "no <image>"}
    (folder / "failed.json").write_text(json.dumps(facts))
    assert "m/quick · saucer · seed 0: no &lt;image&gt;" in report(runs, "--cases", "0")


def test_how_many_cases_is_up_to_people(runs):
    assert len(Page(report(runs, "--cases", "1")).all("img")) == 6 * 3
    assert not Page(report(runs, "--cases", "0")).all("img")


def test_the_demo_ends_with_a_report(runs, monkeypatch, capsys):
    demo = runs.parent / "demo"
    monkeypatch.setattr("zoo.data.tiny.write_tiny", lambda out, **words: out)
    monkeypatch.setattr("zoo.cli.bench.bench_and_tabulate", lambda **options: 1)
    assert main(["demo", "--out", str(demo)]) == 1
    assert not (demo / "report.html").exists()  # nothing finished, nothing to show
    shutil.copytree(runs, demo / "runs")
    monkeypatch.setattr("zoo.cli.bench.bench_and_tabulate", lambda **options: 0)
    assert main(["demo", "--out", str(demo)]) == 0
    assert "m/quick · cup · seed 1" in (demo / "report.html").read_text("utf-8")
    assert f"{demo / 'report.html'}: " in capsys.readouterr().out


def test_what_is_wrong_is_one_line(runs, tmp_path, capsys):
    for words, printed in (
        ([str(tmp_path / "none")], "no results at"),
        ([str(runs), "--cases", "-1"], "--cases -1: give 0 or more"),
        ([str(runs), "--out", str(tmp_path)], "is a folder: give a file"),
        (
            [str(runs), "--out", str(runs / "m-quick/cup/seed0/cost.json/r.html")],
            "cannot be written",
        ),
    ):
        assert main(["report", *words]) == 1
        error = capsys.readouterr().err
        assert printed in error
        assert error.count("\n") == 1


def test_one_recipe_on_one_split_is_enough(runs, tmp_path):
    rows = pd.DataFrame(
        {"recipe": ["r"], "method": ["m"], "object": ["o"], "seed": [0], "split": ["test_public"]}
    )
    rows["segf1"], rows["n_images"] = 0.0, 3
    for name in ("total_s", "p50_ms", "peak_rss_mb"):
        rows[name] = None
    rows.to_csv(tmp_path / "rows.csv", index=False)
    assert len(Page(report(tmp_path / "rows.csv")).all("svg")) == 1


@pytest.mark.parametrize("name", ["style.css", "script.js"])
def test_styles_and_script_stand_in_the_page(whole, name):
    from importlib.resources import files

    assert (files("zoo.results.report") / "assets" / name).read_text("utf-8") in whole
