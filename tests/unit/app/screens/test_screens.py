"""Every page of the shell, run without a browser on an empty, a growing, a finished and a broken folder of runs."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

from app.judging.side_folder import side_folder
from app.runs.evaluations import Evaluated
from app.runs.scaling import ScalingFile, compute
from orz_bench.records.run_dir import RunDir, to_json, write_text
from tests.support.app_runs import write_evaluation
from tests.support.assessed import CRITIC, assess
from tests.support.builders import a_rollout
from tests.support.runs import a_run, add_evaluation

OURS = ("runs", "training", "benchmarks", "report")


def _script(name: str) -> None:
    from app.shell import PAGES, show_page

    show_page(next(spec for spec in PAGES if spec.name == name), {})


def _opened(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, **parameters: list[str]) -> AppTest:
    monkeypatch.setenv("ORZ_RUNS", str(folder))
    page = AppTest.from_function(_script, kwargs={"name": name}, default_timeout=600)
    for parameter, values in parameters.items():
        page.query_params[parameter] = values
    return page.run()


def _texts(page: AppTest) -> str:
    boxes = [*page.error, *page.warning, *page.info, *page.caption, *page.markdown]
    return "\n".join(str(box.value).replace("\\", "") for box in boxes)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs, and outside of their folder a third."""
    folder = tmp_path_factory.mktemp("finished")
    a_run(folder / "secret", num_steps=1)
    add_evaluation(a_run(folder / "runs" / "one", num_steps=6), step=3)
    a_run(folder / "runs" / "two", num_steps=6, seed=7)
    return folder / "runs"


@pytest.mark.parametrize("name", OURS)
def test_an_empty_folder_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    page = _opened(monkeypatch, tmp_path, name)
    assert not page.exception
    assert not page.error
    assert "No run in" in _texts(page)
    assert "orz-rl train" in page.code[0].value


@pytest.mark.parametrize("name", OURS)
def test_a_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    page = _opened(monkeypatch, tmp_path / "none", name)
    assert "no such folder" in _texts(page)


@pytest.mark.parametrize("name", OURS)
def test_a_finished_run(monkeypatch: pytest.MonkeyPatch, finished: Path, name: str) -> None:
    page = _opened(monkeypatch, finished, name, run=["one", "two"])
    assert not page.exception
    assert not page.error
    assert not page.warning


@pytest.mark.parametrize("name", OURS)
def test_a_run_that_has_only_begun(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    run = a_run(tmp_path / "x", num_steps=1)
    run.mark("")
    run.metrics_path.write_text('{"step": 1, "reward/mean": 0.5}\n{"step": 2, "rew')
    for path in run.path.glob("evals/*/*/*/summary.json"):
        path.unlink()
    page = _opened(monkeypatch, tmp_path, name, run=["x"])
    assert not page.exception
    assert not page.error


@pytest.mark.parametrize(
    ("name", "file", "text"),
    [
        ("runs", "run.json", "{"), ("runs", "config.yaml", "a: ["), ("training", "run.json", '{"schema_version": 99}'),
        ("benchmarks", "run.json", "{"), ("report", "config.yaml", "a: ["),
    ],
)  # fmt: skip
def test_a_broken_run_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, file: str, text: str
) -> None:
    a_run(tmp_path / "good", num_steps=2)
    (a_run(tmp_path / "bad", num_steps=2).path / file).write_text(text)
    page = _opened(monkeypatch, tmp_path, name, run=["bad"])
    assert not page.exception
    if name == "runs":
        assert "! unreadable" in set(page.dataframe[0].value["state"])
    else:
        assert str(tmp_path / "bad") in _texts(page)
        assert "fault of the app" not in _texts(page)


@pytest.mark.parametrize("name", ["training", "benchmarks", "report"])
def test_no_address_leads_out_of_the_folder(monkeypatch: pytest.MonkeyPatch, finished: Path, name: str) -> None:
    outside = ["../secret", "/", "secret", "..", "one/../../secret", str(finished.parent / "secret")]
    page = _opened(monkeypatch, finished, name, run=outside)
    assert _texts(page).count("in this folder") == len(outside)
    assert page.multiselect(key="shell:run-choice").options == ["two", "one"]
    assert not page.exception


@pytest.mark.parametrize("name", ["training", "benchmarks", "report"])
def test_a_missing_run_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch, finished: Path, name: str) -> None:
    page = _opened(monkeypatch, finished, name, run=["gone"])
    assert "no run 'gone' in this folder" in _texts(page)
    assert not [*page.dataframe, *page.button, *page.selectbox, *page.get("download_button"), *page.metric]
    page = _opened(monkeypatch, finished, name, run=["gone", "two"], rows=["rollouts"])
    assert page.multiselect(key="shell:run-choice").value == ["two"]
    if name == "report":
        assert "The first run of the address, whose rollouts it names, is not in this folder" in _texts(page)
        assert [button.proto.disabled for button in page.get("download_button")] == [True]


def test_runs_after_the_seventh_are_named(monkeypatch: pytest.MonkeyPatch, finished: Path) -> None:
    page = _opened(monkeypatch, finished, "training", run=["one", "two", *"abcdefg"])
    assert "The address names 9 runs; the first 7 are used, not f, g." in _texts(page)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("training", {"smoothing": ["much"]}),
        ("training", {"log": ["yes"]}),
        ("training", {"metric": ["no/such"]}),
        ("runs", {"verdict": ["verdicts"]}),
        ("benchmarks", {"bench": ["none-such"]}),
        ("benchmarks", {"a": ["none@1~x"]}),
        ("report", {"format": ["exe"]}),
        ("report", {"verdicts": ["banana"], "rows": ["rollouts"]}),
        ("rollouts", {"row": ["row is in the address 2 times", "x"]}),
        ("report", {"lexicon": ["none-such"]}),
    ],
)
def test_an_invalid_address_is_reported_and_the_page_is_drawn(
    monkeypatch: pytest.MonkeyPatch, finished: Path, name: str, parameters: dict[str, list[str]]
) -> None:
    page = _opened(monkeypatch, finished, name, run=["one"], **parameters)
    assert not page.exception
    assert next(iter(parameters.values()))[0] in _texts(page)
    assert "fault of the app" not in _texts(page)


def test_widgets_follow_the_address_and_write_to_it(monkeypatch: pytest.MonkeyPatch, finished: Path) -> None:
    page = _opened(monkeypatch, finished, "training", run=["two"], metric=["policy/entropy"], smoothing=["5"])
    assert page.multiselect(key="shell:run-choice").value == ["two"]
    assert page.multiselect(key="training:metric").value == ["policy/entropy"]
    page.selectbox(key="training:smoothing").set_value("none").run()
    assert page.query_params["smoothing"] == "none"
    page.multiselect(key="shell:run-choice").set_value(["two", "one"]).run()
    assert page.query_params["run"] == ["two", "one"]
    assert not page.exception


def test_a_comparison_shows_what_was_computed(monkeypatch: pytest.MonkeyPatch, finished: Path) -> None:
    page = _opened(monkeypatch, finished, "benchmarks", run=["one"])
    numbers = {metric.label: metric.value for metric in page.metric}
    assert set(numbers) == {"A", "B", "B − A, points", "95 % interval", "p"}
    a, b, difference = (float(numbers[name].rstrip(" %")) for name in ("A", "B", "B − A, points"))
    assert difference == pytest.approx(b - a, abs=0.11)


def test_an_incomplete_evaluation_is_left_out_of_comparisons(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Said, with the number of lost samples, and compared by whole questions where that is asked for."""
    run = a_run(tmp_path / "x", num_steps=6)
    add_evaluation(run, step=3)
    (part,) = (run.path / "evals" / "arithmetic").glob("step=*6/*/*.parquet")
    rows = pq.read_table(part, partitioning=None)
    pq.write_table(rows.slice(0, 14), part)
    last, middle = (f"x@{step}~0123456789ab" for step in (6, 3))
    page = _opened(monkeypatch, tmp_path, "benchmarks", run=["x"])
    assert "x, step 6: 26 of 40." in _texts(page)
    assert [str(page.selectbox(key=f"benchmarks:{side}").value).partition("~")[0] for side in "ab"] == ["x@0", "x@3"]
    assert "10 shared questions." in _texts(page)
    page = _opened(monkeypatch, tmp_path, "benchmarks", run=["x"], a=[middle], b=[last])
    assert f"{last} has lost samples" in _texts(page)
    assert not page.metric
    page.toggle(key="benchmarks:partial").set_value(True).run()
    assert page.query_params["partial"] == "1"
    assert "3 shared questions." in _texts(page)
    assert page.metric


def test_what_a_page_advises_can_help(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A run that is training is waited for; an import is not evaluated from a checkpoint that it does not have."""
    run = RunDir(tmp_path / "growing")
    run.create(kind="train", command=[], seed=0, environment={})
    said = _texts(_opened(monkeypatch, tmp_path, "training", run=["growing"]))
    assert "no training step has been finished yet" in said
    assert "From texts" not in said
    imported = RunDir(tmp_path / "imported")
    imported.create(kind="eval", command=[], seed=0, environment={"imported": True})
    write_evaluation(imported, 0, [a_rollout(verdict=None)], benchmark="arithmetic")
    said = _texts(_opened(monkeypatch, tmp_path, "benchmarks", run=["imported"]))
    assert "No score yet: arithmetic" in said
    assert "orz-bench import FILES --grade" in said
    assert "--ckpt" not in said
    assert "An evaluation has no training metrics" in _texts(
        _opened(monkeypatch, tmp_path, "training", run=["imported"])
    )


def test_a_run_has_one_colour_on_a_page(monkeypatch: pytest.MonkeyPatch, finished: Path, tmp_path: Path) -> None:
    from app.views.palette import RUN_COLOURS

    for runs, wanted in ((["one"], 1), (["two", "one"], 2)):
        page = _opened(monkeypatch, finished, "benchmarks", run=runs)
        used = {name for name in RUN_COLOURS for chart in page.get("vega_lite_chart") if name in str(chart.proto.spec)}
        assert used == set(RUN_COLOURS[:wanted])


def test_no_other_evaluation_takes_the_place_of_a_missing_one(monkeypatch: pytest.MonkeyPatch, finished: Path) -> None:
    page = _opened(monkeypatch, finished, "benchmarks", run=["one"], a=["one@77~0123456789ab"])
    assert not page.metric
    assert page.selectbox(key="benchmarks:a").value is None
    page = _opened(monkeypatch, finished, "benchmarks", run=["one"], bench=["math500"])
    assert not [*page.metric, *page.dataframe, *page.selectbox]
    page = _opened(monkeypatch, finished, "benchmarks", run=["one"], by=["no-such"])
    assert page.metric


def test_a_report_is_made_when_it_is_wanted(monkeypatch: pytest.MonkeyPatch, finished: Path) -> None:
    page = _opened(monkeypatch, finished, "report", run=["one"])
    assert not page.get("iframe")
    page.button[0].click().run()
    assert page.query_params["made"] == "1"
    assert not page.error
    assert len(page.get("iframe")) == 1


def _scaling_file(folder: Path) -> ScalingFile:
    run = RunDir(folder / "x")
    result = next(one for one in run.results() if one.step == 0)
    of = Evaluated(run="x", path=run.path, result=result)
    return ScalingFile(of=of, critic="", side=side_folder(folder))


def test_test_time_scaling_of_a_chosen_evaluation(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    a_run(tmp_path / "x", num_steps=1)
    closed = _opened(monkeypatch, tmp_path, "benchmarks", run=["x"])
    choice = next(box for box in closed.selectbox if box.label == "Evaluation")
    assert choice.value is None
    assert choice.options == ["x@0~0123456789ab", "x@1~0123456789ab"]
    file = _scaling_file(tmp_path)
    file.path.parent.mkdir(parents=True)
    write_text(file.path, to_json(compute(file.folder, critic="")))
    page = _opened(monkeypatch, tmp_path, "benchmarks", run=["x"], scaled=["x@0~0123456789ab"])
    assert not page.exception
    assert "10 questions, n = 4." in _texts(page)
    assert "it bounds the others" in _texts(page)
    pairs = next(table.value for table in page.dataframe if "against" in table.value)
    assert set(pairs["against"]) == {"majority"}
    assert len(page.get("vega_lite_chart")) == len(closed.get("vega_lite_chart")) + 2
    write_text(file.path, to_json({"error": "no <b>reason</b>"}))
    assert "no <b>reason" in _texts(_opened(monkeypatch, tmp_path, "benchmarks", run=["x"], scaled=[file.of.name]))
    gone = _opened(monkeypatch, tmp_path, "benchmarks", run=["x"], scaled=["x@7~0123456789ab"])
    assert "no evaluation x@7~0123456789ab with several samples" in _texts(gone)


def test_scaling_by_one_of_several_critics(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    a_run(tmp_path / "x", num_steps=1)
    file = _scaling_file(tmp_path)
    assess(file.folder)
    assess(file.folder, "wbbbbbbbbbbbbbbb")
    page = _opened(monkeypatch, tmp_path, "benchmarks", run=["x"], scaled=[file.of.name])
    choice = next(box for box in page.selectbox if box.label == "Critic")
    assert choice.value is None
    assert choice.options == [CRITIC, "wbbbbbbbbbbbbbbb"]
    assert "questions, n =" not in _texts(page), "no critic is taken by itself"
    wrong = _opened(monkeypatch, tmp_path, "benchmarks", run=["x"], scaled=[file.of.name], critic=["wc"])
    assert "The critic wc has not assessed this evaluation" in _texts(wrong)


def test_a_control_is_named_wherever_its_run_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    a_run(tmp_path / "x", num_steps=6, changes={"reward.control": "random"})
    a_run(tmp_path / "y", num_steps=6, seed=7)
    for name in ("runs", "training", "benchmarks", "live", "matrix", "rollouts", "question"):
        page = _opened(monkeypatch, tmp_path, name, run=["x", "y"])
        assert not page.exception
        choices = [*page.multiselect, *page.selectbox]
        frames = "\n".join(frame.value.astype(str).to_csv() for frame in page.dataframe)
        html = "\n".join(str(element.proto.body) for element in page.get("html"))
        shown = "\n".join([_texts(page), frames, html, *(text for choice in choices for text in choice.options)])
        assert "x (reward: random)" in shown, name


def test_the_page_of_runs_draws_which_run_was_made_from_which(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    parent, branch = a_run(tmp_path / "parent", num_steps=2), a_run(tmp_path / "<b>branch</b>", num_steps=2)
    write_text(parent.run_path, to_json(parent.info() | {"run_id": "1"}))
    source = {"run": str(parent.path), "run_id": "1", "step": 2, "changed": {"seed": [42, 7]}}
    write_text(branch.run_path, to_json(branch.info() | {"run_id": "2", "parent": source}))
    page = _opened(monkeypatch, tmp_path, "runs")
    (tree,) = [str(element.proto.body) for element in page.get("html") if "orz-tree" in str(element.proto.body)]
    assert "<b>parent</b>" in tree
    assert "└─ <b>&lt;b&gt;branch&lt;/b&gt;</b>  branched from parent at step 2 (seed 42 -&gt; 7)" in tree


def test_no_name_of_a_run_reorders_a_legend(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("\u202eeno", "two"):
        a_run(tmp_path / name, num_steps=2)
    for page in ("training", "benchmarks"):
        test = _opened(monkeypatch, tmp_path, page, run=["\u202eeno", "two"])
        bodies = "".join(str(element.proto.body) for element in test.get("html"))
        assert "⟨U+202E⟩eno</span>" in bodies
        assert "\u202e" not in bodies + _texts(test)
