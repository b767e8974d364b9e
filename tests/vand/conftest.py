"""A recipe that mimics a published row, tiny, where the packaged ones are looked for."""

from __future__ import annotations

import pytest

from zoo.recipes import files as recipes
from zoo.results.published import object_names

PAPER = """# PatchCore as published, but tiny, for tests.
model:
  class_path: ZooPatchcore
  init_args:
    weights: random
    image_size: 32
    coreset_sampling_ratio: 0.1
    post_processor:
      class_path: zoo.methods.BlobPostProcessor
      init_args:
        rule: {class_path: zoo.postprocess.rules.MeanStd, init_args: {k: 3, min_area_px: 0}}
data:
  class_path: zoo.data.MVTecAD2Layout
"""


@pytest.fixture(autouse=True)
def paper_recipe(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("recipes")  # tests list their own folder
    path = folder / "patchcore" / "mvtec_ad_2_paper.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(PAPER, encoding="utf-8")
    monkeypatch.setattr(recipes, "recipes_folder", lambda: folder)
    return path


@pytest.fixture
def write_answer(tmp_path):
    """Return a function that writes what a server printed: the same values for every object."""

    def write(private, mixed, au_private, au_mixed, name="server-says.csv"):
        lines = ["split,object,SegF1,AucPro_0.05,ClassF1"]
        for split, segf1, au in (
            ("private", private, au_private),
            ("private_mixed", mixed, au_mixed),
        ):
            lines += [f"{split},{each},{segf1},{au},50" for each in object_names()]
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write
