"""Figures as the page takes them."""

from farm.cli.report import report
from farm.report import figures
from farm.report.page.picture import models_of
from tests.report.page.scenes import kept, study
from tests.runs import record


def test_rows_are_known_by_model_and_group_and_nothing_else():
    records = [record(), record("noise", device="CPU{threads=2}")]
    assert models_of(records) == dict.fromkeys(
        ("resnet20", "resnet20 on CPU", "resnet20 on CPU{threads=2}"), "resnet20"
    )


def test_a_model_whose_name_is_shortened_is_known_by_what_figures_call_it():
    models = [f"onnx{{path=/some/folder/{name}.onnx}}" for name in ("a", "b")]
    found = models_of([record(model=model) for model in models])
    assert {found["onnx{path=a.onnx}"], found["onnx{path=b.onnx}"]} == set(models)


def test_figures_are_made_once_for_the_page_and_for_the_files(tmp_path, monkeypatch):
    plotted = []
    material = figures.material
    monkeypatch.setattr(figures, "material", lambda analysis: plotted.append(analysis.run.name) or material(analysis))
    here = kept(study(models=("resnet20",)), tmp_path / "results" / "small")
    report([str(here)], out=tmp_path / "page.html", figures=tmp_path / "charts", still=True)
    assert len(plotted) == 1
    assert (tmp_path / "charts" / "drops.svg").exists()
    assert 'id="run1-drops"' in (tmp_path / "page.html").read_text(encoding="utf-8")
