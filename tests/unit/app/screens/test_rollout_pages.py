"""The pages Rollouts, Question and Suspicious on runs that are empty, growing, finished, broken and hostile."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.judging.annotations import FILE_NAME, Annotations, RunIdentity
from app.judging.side_folder import NAME
from app.queries.keys import Response, RowKey, key_text
from app.queries.measure_files import MeasureFiles
from app.queries.parts import folders_of
from orz_bench.records.judged import WITHOUT_TEXT
from orz_bench.records.parquet import part_files
from orz_bench.records.run_dir import RunDir
from tests.support.app_runs import hostile_run, write_evaluation
from tests.support.builders import a_rollout
from tests.support.runs import a_run, add_evaluation

PAGES = ("rollouts", "question", "suspicious")
KEY = RowKey("arithmetic", 0, "0123456789ab", "0", 3)


def script(folder: str, screen: str) -> None:
    """What app/shell.py does for one page, without the navigation."""
    from importlib import import_module
    from pathlib import Path

    from app.runs.folder import RunsFolder
    from app.views.context import Context
    from app.views.run_choice import choose

    runs = RunsFolder.at(Path(folder))
    context = choose(Context(folder=runs, entries=tuple(runs.runs())), wants="one")
    if context is not None:
        import_module(f"app.screens.{screen}").render(context)


def drawn(folder: Path, screen: str, **parameters: str | list[str]) -> AppTest:
    """The page of an address, drawn without a fault."""
    test = AppTest.from_function(script, args=(str(folder), screen), default_timeout=600)
    for name, value in parameters.items():
        test.query_params[name] = value
    test.run()
    assert not test.exception
    return test


def texts(test: AppTest) -> str:
    return "\n".join(
        str(found.value) for found in [*test.markdown, *test.caption, *test.info, *test.warning, *test.error]
    )


def measured(run: RunDir) -> RunDir:
    """Measured beforehand, so that no page starts a process."""
    MeasureFiles.of(run.path, name=run.path.name, side=run.path.parent / NAME).update(folders_of(run.path))
    return run


def empty(folder: Path) -> None:
    RunDir(folder).create(kind="train", command=[], seed=0, environment={})


def growing(folder: Path) -> None:
    measured(a_run(folder, num_steps=2)).mark("")


def finished(folder: Path) -> None:
    measured(a_run(folder, num_steps=2))


def broken(folder: Path) -> None:
    run = measured(a_run(folder, num_steps=2))
    run.mark("FAILED")
    for path in (part_files(run.rollouts(1).path)[0], run.metrics_path):
        path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize("screen", PAGES)
@pytest.mark.parametrize("make", [empty, growing, finished, broken])
def test_every_page_on_every_run(tmp_path: Path, make: Callable[[Path], None], screen: str) -> None:
    make(tmp_path / "run")
    test = drawn(tmp_path, screen)
    found_text = texts(test)
    if make is empty:
        assert "This run has no such rollout" in found_text or "No question to show" in found_text
        return
    num_rollouts = 32 + 80 - 8 * (make is broken)
    assert {"rollouts": f"**{num_rollouts}** rollouts", "question": "first solved", "suspicious": "rollouts"}[
        screen
    ] in found_text
    assert ("damaged" in found_text) == (make is broken)
    assert not test.error


def test_no_run_at_all(tmp_path: Path) -> None:
    assert "No run in" in texts(drawn(tmp_path, "question"))


def test_the_reader_of_a_permalink(tmp_path: Path) -> None:
    finished(tmp_path / "run")
    test = drawn(tmp_path, "rollouts", row=key_text(KEY), layer=["tags", "repeats"], text="2", min_tokens="1")
    assert "sample 3" in texts(test)
    assert test.text_input(key="filter:text").value == "2"
    assert test.number_input(key="filter:min_tokens").value == 1
    assert [str(found.value) for found in test.error] == []


def test_filters_of_widgets_go_into_the_address(tmp_path: Path) -> None:
    finished(tmp_path / "run")
    test = drawn(tmp_path, "rollouts")
    test.text_input(key="filter:text").set_value("wait,").run()
    assert test.query_params["text"] == "wait,"
    test.multiselect(key="filter:verdicts").set_value(["correct"]).run()
    test.number_input(key="filter:min_tokens").set_value(20).run()
    assert {name: test.query_params[name] for name in ("text", "verdicts", "min_tokens")} == {
        "text": "wait,", "verdicts": "correct", "min_tokens": "20",
    }  # fmt: skip
    assert not test.exception
    again = drawn(tmp_path, "rollouts", text="wait,", verdicts="correct", min_tokens="20")
    assert texts(again) == texts(test)


def test_next_and_previous(tmp_path: Path) -> None:
    finished(tmp_path / "run")
    test = drawn(tmp_path, "rollouts", row=key_text(KEY))
    test.button(key="reader:next").click().run()
    assert test.query_params["row"] == key_text(RowKey("arithmetic", 0, "0123456789ab", "1", 0))
    test.button(key="reader:previous").click().run()
    assert test.query_params["row"] == key_text(KEY)


def test_notes_go_to_the_side_file_and_never_into_the_run(tmp_path: Path) -> None:
    finished(tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    kept = Annotations(tmp_path / NAME / FILE_NAME, RunIdentity.of(tmp_path / "run", name="run"))
    test = drawn(tmp_path, "suspicious", row=key_text(KEY))
    (note,) = (area for area in test.text_area if area.key and area.key.startswith("annotate:note"))
    note.set_value("look at this").run()
    (tags,) = (box for box in test.multiselect if box.key and box.key.startswith("annotate:tags"))
    tags.set_value(["bad gold"]).run()
    (reason,) = (box for box in test.text_input if box.key and box.key.startswith("annotate:reason"))
    reason.set_value("it says so").run()
    test.button(key=f"annotate:override:run:{key_text(KEY)}").click().run()
    test.button(key=f"annotate:seen:run:{key_text(KEY)}").click().run()
    ((response, found),) = kept.of_run().items()
    assert response.key == KEY
    assert (found.note, found.tags, found.reason, found.is_seen) == ("look at this", ("bad gold",), "it says so", True)
    assert found.verdict is not None
    assert not test.exception
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before
    assert "Scores with overrides" in "\n".join(str(head.value) for head in test.subheader)
    assert "**1** rollouts" in texts(drawn(tmp_path, "rollouts", seen="overridden"))


def test_two_notes_at_once_are_both_kept(tmp_path: Path) -> None:
    """Two tabs have drawn the rollout without a note; a second override is refused, and says by what."""
    finished(tmp_path / "run")
    kept = Annotations(tmp_path / NAME / FILE_NAME, RunIdentity.of(tmp_path / "run", name="run"))
    tabs = [drawn(tmp_path, "rollouts", row=key_text(KEY)) for _ in range(2)]
    for tab, text in zip(tabs, ("of ada", "of bob"), strict=True):
        tab.text_area(key=f"annotate:note:run:{key_text(KEY)}").set_value(text).run()
    ((_, found),) = kept.of_run().items()
    assert found.note == "of ada\n\nof bob"
    assert "both are kept" in tabs[1].toast[0].value
    tabs[1].text_area(key=f"annotate:note:run:{key_text(KEY)}:1").set_value("both agree").run()
    assert next(iter(kept.of_run().values())).note == "both agree", "what was read is replaced"
    for tab, text in zip(tabs, ("first", "second"), strict=True):
        tab.text_input(key=f"annotate:reason:run:{key_text(KEY)}").set_value(text)
        tab.button(key=f"annotate:override:run:{key_text(KEY)}").click().run()
    assert next(iter(kept.of_run().values())).reason == "first"
    assert "somebody else has judged" in tabs[1].toast[0].value
    assert "**1** rollouts" in texts(drawn(tmp_path, "rollouts", seen="judged"))


def test_two_samples_of_a_question_are_compared(tmp_path: Path) -> None:
    finished(tmp_path / "run")
    left, right = (key_text(RowKey("arithmetic", step, "0123456789ab", "1", 2)) for step in (0, 2))
    test = drawn(tmp_path, "question", bench="arithmetic", problem="1", left=left, right=right)
    assert test.selectbox(key="compare:left:sample").value == 2
    test.selectbox(key="compare:right:sample").set_value(0).run()
    assert test.query_params["right"] == key_text(RowKey("arithmetic", 2, "0123456789ab", "1", 0))
    assert "of the words are shared" in texts(test)
    for wrong in ({"sort": "x"}, {"solved": "x"}, {"left": "x"}, {"bench": "arithmetic"}):
        assert drawn(tmp_path, "question", **wrong).warning, wrong
    assert "does not have this question" in texts(drawn(tmp_path, "question", bench="x", problem="y"))


@pytest.mark.parametrize("page", PAGES)
def test_a_run_without_verdicts(tmp_path: Path, page: str) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    rows = [a_rollout(problem_id="p", sample_index=n, step=step, verdict=None) for n in range(2) for step in (0, 5)]
    for step in (0, 5):
        write_evaluation(run, step, [row for row in rows if row.step == step], benchmark="arithmetic")
    measured(run)
    kept = Annotations(tmp_path / NAME / FILE_NAME, RunIdentity.of(run.path, name="run"))
    fingerprint = run.evaluations()[0].path.name
    key = RowKey("arithmetic", 0, fingerprint, "p", 0)
    kept.override_verdict(Response(key, ""), verdict="correct", reason="it is")
    test = drawn(tmp_path, page)
    if page == "question":
        assert "no verdicts" in texts(test)
    if page == "rollouts":
        (table,) = test.dataframe
        assert set(table.value["right"]) == {None}, "not 0/2"
        groups = drawn(tmp_path, page, row=key_text(key)).get("button_group")
        assert "Group: 2 samples without a verdict" in {group.proto.label for group in groups}
    if page == "suspicious":
        assert "An evaluation that has a sample without a verdict, or has lost samples, has no score" in texts(test)


def test_a_question_with_one_step_is_not_compared_with_itself(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    rows = [a_rollout(problem_id="two", sample_index=n) for n in range(2)] + [a_rollout(problem_id="one")]
    write_evaluation(run, 0, rows, benchmark="arithmetic")
    measured(run)
    test = drawn(tmp_path, "question", bench="arithmetic", problem="two")
    assert [test.selectbox(key=f"compare:{side}:sample").value for side in ("left", "right")] == [0, 1]
    test = drawn(tmp_path, "question", bench="arithmetic", problem="one")
    assert "There is one response to this question" in texts(test)


def test_no_text_reorders_a_cell(tmp_path: Path) -> None:
    """42 would be shown as 24."""
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    row = a_rollout(problem_id="\u202eabc", gold="\u202e42", extracted="\u200b42", completion="\u2067so 42\x07")
    write_evaluation(run, 0, [row], benchmark="arithmetic")
    for is_measured in (False, True):
        if is_measured:
            measured(run)
        (table,) = drawn(tmp_path, "rollouts").dataframe
        shown = table.value.iloc[0]
        assert (shown["gold"], shown["extracted"]) == ("⟨U+202E⟩42", "⟨U+200B⟩42")
        assert (shown["problem"], shown["response"]) == ("⟨U+202E⟩abc", "⟨U+2067⟩so 42⟨U+0007⟩")


@pytest.mark.parametrize("screen", PAGES)
def test_no_name_reorders_what_stands_beside_it(tmp_path: Path, screen: str) -> None:
    """The heading would read "2 fo 1 · 0 pets"."""
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    mark, facts = "\u202e", {"level\u202e": "1"}
    rows = [
        a_rollout(benchmark=f"b{mark}", problem_id=f"{mark}p{n}", sample_index=0, extra=facts | {"x\u202e": n % 2})
        for n in range(4)
    ]
    write_evaluation(run, 0, rows, benchmark=f"b{mark}")
    measured(run)
    kept = Annotations(tmp_path / NAME / FILE_NAME, RunIdentity.of(run.path, name="run"))
    kept.add_tag(Response(RowKey(f"b{mark}", 0, "0123456789ab", f"{mark}p0", 0), ""), tag=f"t{mark}")
    test = drawn(tmp_path, screen)
    assert "p0" in texts(test)
    choices = [*test.selectbox, *test.multiselect, *test.pills]
    shown = [texts(test), *(text for box in choices for text in (*box.options, str(box.proto)))]
    assert not [text for text in shown if mark in text or "\\342\\200\\256" in text]


def test_no_control_of_annotations_is_that_of_another_run(tmp_path: Path) -> None:
    """A key that is pressed while another run is drawn would judge the rollout of the same name there."""
    finished(tmp_path / "a")
    finished(tmp_path / "b")
    keys = [
        {str(one.key) for one in (*test.button, *test.text_area, *test.text_input, *test.multiselect, *test.selectbox)}
        for test in (drawn(tmp_path, "rollouts", run=name, row=key_text(KEY)) for name in "ab")
    ]
    assert len([key for key in keys[0] if key.startswith("annotate:")]) == 7
    assert not [key for key in keys[0] & keys[1] if key.startswith("annotate:")]


def test_hostile_texts_are_escaped_and_cut(tmp_path: Path) -> None:
    measured(hostile_run(tmp_path / "run"))
    for sample in range(3):
        key = RowKey("arithmetic", 0, "0123456789ab", "<b>p</b>", sample)
        test = drawn(tmp_path, "rollouts", row=key_text(key), layer=["reflection", "tags", "extracted", "repeats"])
        bodies = [str(element.proto.body) for element in test.get("html")]
        assert all("<script" not in body and "<img" not in body and "<a " not in body for body in bodies)
        assert sum(map(len, bodies)) < 200_000


def test_a_run_that_is_not_measured_starts_measuring(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=1)
    add_evaluation(run, step=7)
    test = drawn(tmp_path, "rollouts")
    assert "**136** rollouts" in texts(test)
    files = MeasureFiles.of(run.path, name="run", side=tmp_path / NAME)
    from app.queries.measuring import measuring_process

    process = measuring_process(files)
    assert process is not None
    assert process.wait(timeout=1000) == 0
    parts = [part for folder in folders_of(run.path) for part in folder.parts]
    assert len(files.measured(parts)) == len(parts)


def test_an_answer_that_a_file_does_not_hold_is_unknown(tmp_path: Path) -> None:
    """A right response has an answer, although an import may not know it."""
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={"imported": True})
    verdicts = ("correct", "no_answer")
    rows = [
        a_rollout(sample_index=n, extracted=None, verdict=verdict, second_verdict=verdict, completion=f"so 2, {n}")
        for n, verdict in enumerate(verdicts)
    ]
    write_evaluation(run, 0, rows, benchmark="arithmetic")
    measured(run)
    for sample, shown in enumerate(("–", "none")):
        key = key_text(RowKey("arithmetic", 0, "0123456789ab", rows[0].problem_id, sample))
        bodies = "".join(str(one.proto.body) for one in drawn(tmp_path, "rollouts", row=key).get("html"))
        assert re.search(rf'extracted</span> <span class="v-[a-z]+">{shown}</span>', bodies), bodies


def test_what_is_not_yet_measured_is_no_zero(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=1)
    add_evaluation(run, step=7)
    files = MeasureFiles.of(run.path, name="run", side=tmp_path / NAME)
    files.root.mkdir(parents=True)
    with (files.root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process is measuring: that of this page ends at once
        test = drawn(tmp_path, "rollouts", min_reflections="1", reasons="loop")
        assert "No rollout so far: 0 of 5 parts measured." in texts(test)
        assert "No rollout matches" not in texts(test)
        for group, is_waiting in (("look", True), ("reflections", True), ("form", True), ("verdict", False)):
            found = "So far: 0 of 5 parts measured" in texts(drawn(tmp_path, "rollouts", group=group))
            assert found == is_waiting, group
        test = drawn(tmp_path, "suspicious")
        assert "rollouts so far: 0 of 5 parts measured." in texts(test)
        labels = {option.content.partition("  ")[::2] for option in test.get("button_group")[0].proto.options}
        assert ("gold in the text", "–") in labels
        assert all(count.isdigit() for title, count in labels if title == "truncated")


def test_a_rule_that_reads_all_of_a_response_does_not_repeat_it(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={})
    text = "the answer is 2"
    row = a_rollout(
        completion=text, verdict="no_answer", extracted=None, second_extractor="math-verify", second_extracted=text,
        second_verdict="correct",
    )  # fmt: skip
    write_evaluation(run, 0, [row], benchmark="arithmetic")
    measured(run)
    test = drawn(tmp_path, "suspicious")
    bodies = "".join(str(one.proto.body) for one in test.get("html"))
    assert re.search(r'by math-verify</span> <span class="v-correct">the whole response \(correct\)</span>', bodies), (
        bodies
    )
    options = test.pills(key="suspicious:reasons").options
    assert "right by second extractor  1" in options


def test_what_no_rollout_has_a_text_for_is_no_zero(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.create(kind="eval", command=[], seed=0, environment={"imported": True})
    rows = [a_rollout(sample_index=n, completion="", verdict="wrong", why=WITHOUT_TEXT[-1]) for n in range(2)]
    write_evaluation(run, 0, rows, benchmark="arithmetic")
    measured(run)
    options = drawn(tmp_path, "suspicious").pills(key="suspicious:reasons").options
    shown = dict(option.split("  ") for option in options)
    assert {title for title, count in shown.items() if count == "–"} >= {
        "gold at the end", "gold in the text", "correct without reasoning", "repetition loop", "duplicate",
        "reward contradicts verdict", "value high, answer wrong",
    }  # fmt: skip
    assert shown["truncated"] == "0"
