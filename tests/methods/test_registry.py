"""The registry: fake distributions on sys.path, none of them imported by listing."""

import sys
from pathlib import Path

import pytest

from zoo.methods import registry
from zoo.utils.errors import ZooError

CARD = Path(__file__).parents[2] / "plugins" / "zoo_plugins" / "patchcore" / "card.yaml"


def card(name):
    """Return the text of a valid card for a method of that name."""
    return CARD.read_text("utf-8").replace("name: patchcore", f"name: {name}", 1)


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that makes a distribution with entry points and files importable."""
    monkeypatch.delenv(registry.ONLY, raising=False)

    def make(distribution, entries, files=(), folder="site"):
        site = tmp_path / folder
        info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
        lines = [f"[{registry.GROUP}]", *(f"{name} = {target}" for name, target in entries.items())]
        texts = {
            info / "METADATA": f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n",
            info / "entry_points.txt": "\n".join(lines),
        } | {site / name: text for name, text in dict(files).items()}
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        monkeypatch.syspath_prepend(site)

    return make


@pytest.mark.parametrize(
    ("target", "files"),
    [
        ("lone_a:Lone", {"lone_a.py": "", "lone_a.card.yaml": card("lone")}),
        ("lone_b:Lone", {"lone_b.py": "", "card.yaml": card("lone")}),
        ("pack_c:Lone", {"pack_c/__init__.py": "", "pack_c/card.yaml": card("lone")}),
        ("pack_d.sub.deep:Lone", {
            "pack_d/__init__.py": "",
            "pack_d/sub/deep/__init__.py": "",
            "pack_d/sub/deep/card.yaml": card("lone"),
        }),
        ("pack_e.model:Lone", {
            "pack_e/__init__.py": "",
            "pack_e/model.py": "",
            "pack_e/card.yaml": card("lone"),
        }),
    ],
)  # fmt: skip
def test_a_card_is_found_without_running_any_code(install, target, files):
    bomb = "raise SystemExit('imported')"
    install("demo", {"lone": target}, {k: v or bomb for k, v in files.items()})
    method = registry.methods()["lone"]
    assert method.problem is None
    assert method.card.title == "PatchCore"
    assert (method.class_name, method.distribution, method.version) == ("Lone", "demo", "1.0")
    assert not [name for name in sys.modules if name.startswith(target.partition(".")[0] + ".")]


@pytest.mark.parametrize(
    ("target", "files", "word"),
    [
        ("absent:X", {}, "no module 'absent'"),
        ("absent.deeper:X", {}, "no module 'absent.deeper'"),
        ("half_a.absent:X", {"half_a/__init__.py": ""}, "no module 'half_a.absent'"),
        ("half_b.py_b:X", {"half_b.py": ""}, "no module 'half_b.py_b'"),
        ("space_c:X", {"space_c/data.txt": ""}, "no module 'space_c'"),
        ("plain_d", {"plain_d.py": ""}, "write it as 'module:Class'"),
        ("bare_e:X", {"bare_e/__init__.py": ""}, "there is no card; write"),
        ("torn_f:X", {"torn_f.py": "", "torn_f.card.yaml": "name: ["}, "not valid YAML"),
        ("poor_g:X", {"poor_g.py": "", "poor_g.card.yaml": "name: odd"}, "'title' is missing"),
        ("alias_h:X", {"alias_h.py": "", "alias_h.card.yaml": card("other")}, "calls it 'other'"),
    ],
)
def test_a_problem_is_listed_and_breaks_nothing(install, target, files, word):
    fine = {"fine_m.py": "", "fine_m.card.yaml": card("fine")}
    install("demo", {"odd": target, "fine": "fine_m:Fine"}, files | fine)
    found = registry.methods()
    assert word in found["odd"].problem
    assert "\n" not in found["odd"].problem
    assert found["fine"].problem is None


def test_methods_are_sorted_and_read_anew(install, monkeypatch):
    install("demo", {"b": "m:B", "a": "m:A"})
    monkeypatch.setenv(registry.ONLY, "a,b")
    assert list(registry.methods()) == ["a", "b"]
    monkeypatch.setenv(registry.ONLY, " b ,c")
    assert list(registry.methods()) == ["b"]
    monkeypatch.setenv(registry.ONLY, "")
    assert registry.methods() == {}


def test_two_distributions_may_not_share_a_name(install):
    install("first-zoo", {"same": "one:One"}, folder="first")
    install("second-zoo", {"same": "two:Two"}, folder="second")
    with pytest.raises(ZooError, match="first-zoo") as error:
        registry.methods()
    assert "second-zoo" in str(error.value)
    assert "uninstall" in str(error.value)


def test_one_distribution_seen_twice_is_no_conflict(install):
    install("my-zoo", {"same": "one:One"}, folder="first")
    install("My_Zoo", {"same": "one:One"}, folder="second")
    assert registry.methods()["same"].class_name == "One"


def test_find_knows_names_and_classes(install):
    install("demo", {"lone": "m:LoneMethod", "twin_a": "m:Twin", "twin_b": "n:Twin"})
    assert registry.find("LoneMethod").name == registry.find("lone").name == "lone"
    with pytest.raises(ZooError, match="did you mean 'lone'"):
        registry.find("lne")
    with pytest.raises(ZooError, match="did you mean 'LoneMethod'"):
        registry.find("LoneMethd")
    with pytest.raises(ZooError, match="say twin_a or twin_b"):
        registry.find("Twin")


def test_find_tells_that_the_environment_hides_methods(install, monkeypatch):
    install("demo", {"lone": "m:Lone", "other": "m:Other"})
    monkeypatch.setenv(registry.ONLY, "other")
    with pytest.raises(ZooError, match=registry.ONLY):
        registry.find("lone")
    monkeypatch.setenv(registry.ONLY, "")
    with pytest.raises(ZooError, match=registry.ONLY):
        registry.find("lone")


def test_load_imports_the_class(install):
    install("demo", {"lone": "load_m:Lone"}, {"load_m.py": "class Lone: pass"})
    assert registry.load("lone").__name__ == "Lone"


def test_what_fails_to_load_is_one_line_and_the_rest_is_loaded(install, monkeypatch):
    targets = {
        "good": "load_good:Good",
        "raises": "load_raises:X",
        "quits": "load_quits:X",
        "lacks": "load_good:Absent",
        "number": "load_good:NUMBER",
        "absent": "load_absent:X",
        "plain": "load_good",
    }
    files = {
        "load_good.py": "NUMBER = 3\nclass Good: pass",
        "load_raises.py": "raise RuntimeError('first line\\nsecond line')",
        "load_quits.py": "raise SystemExit(3)",
    }
    install("demo", targets, files)
    monkeypatch.setenv(registry.ONLY, ",".join(targets))
    classes, failed = registry.load_all()
    assert [item.__name__ for item in classes] == ["Good"]
    assert [name for name, _ in failed] == sorted(set(targets) - {"good"})
    assert all("\n" not in reason and "demo" in reason for _, reason in failed)
    reasons = dict(failed)
    assert "RuntimeError: first line" in reasons["raises"]
    assert "zoo doctor raises" in reasons["raises"]
    assert "is not a class" in reasons["number"]
