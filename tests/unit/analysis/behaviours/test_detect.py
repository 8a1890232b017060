"""Behaviours run over a whole run: resumable, held against tags, corrected, by the command, in the report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from analysis.behaviours.behaviour import Behaviour, Response, find_behaviour
from analysis.behaviours.marking import Marked, marked, sources_of, stored_marks
from analysis.behaviours.study import behaviour_study
from analysis.behaviours.tags import agreement_with, keep_judged, read_tags
from analysis.cli import app
from analysis.curves.behaved import with_behaviours
from analysis.curves.build import build_study
from analysis.figures.behaviours import behaviours_figure
from analysis.reading.load import load_path
from analysis.report.behaviours_finding import behaviours_finding, behaviours_table
from orz_bench.errors import ConfigError, DataError, EngineError, RunDirError
from orz_bench.records.judged import WITHOUT_TEXT
from orz_bench.records.run_dir import RunDir
from orz_bench.records.tagged import read_judged
from tests.support.openai_server import Server, running
from tests.support.runs import a_run


class Watcher:
    def __init__(self) -> None:
        self.num = 0

    def started(self, name: str, *, num_wanted: int, num_missing: int) -> None: ...

    def committed(self, num_responses: int) -> None:
        self.num += num_responses


class Calls:
    """A program that counts its calls."""

    def __init__(self) -> None:
        self.num = 0

    def __call__(self, response: Response) -> bool:
        self.num += 1
        return "wait" in response.text


def marks_of(run: RunDir, behaviour: Behaviour, judge: Any = None) -> tuple[list[Marked], int]:
    watcher = Watcher()
    found = [
        marked(behaviour, source, judge=judge, observer=watcher)
        for source in sources_of(run, benchmarks=("training",), step=None)
    ]
    return found, watcher.num


def test_what_is_marked_is_not_marked_again(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=3)
    program = Calls()
    behaviour = Behaviour(name="waits", what="x", program=program)
    found, num = marks_of(run, behaviour)
    assert num == program.num == 3 * 16
    again, num = marks_of(run, behaviour)
    assert (num, program.num) == (0, 48)
    assert [one.marks for one in again] == [one.marks for one in found]
    expected = [sum("wait" in str(row.completion) for row in run.rollouts(step).rows()) for step in (1, 2, 3)]
    assert [sum(bool(mark.shows) for mark in one.marks.values()) for one in found] == expected
    _, num = marks_of(run, Behaviour(name="waits", what="x", version=2, program=program))
    assert num == 48


def test_marks_of_other_texts_are_refused(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=1)
    marks_of(run, find_behaviour("reflection"))
    rows = list(run.rollouts(1).rows())
    run.rollouts(1).replace([type(rows[0])(**_changed(row)) for row in rows])
    with pytest.raises(RunDirError, match="is of another text"):
        marks_of(run, find_behaviour("reflection"))


def _changed(row: Any) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__dataclass_fields__} | {"completion": "other"}


@dataclass(frozen=True)
class Said:
    number: int
    shows: bool | None
    reply: str


class Judge:
    """Says yes to responses with `recheck`, and once neither."""

    card: Mapping[str, Any] = {"model": "stub"}

    def __init__(self, *, ends_after: int | None = None) -> None:
        self.questions: list[str] = []
        self.is_first, self.ends_after = True, ends_after

    def ask(self, question: str, responses: Sequence[tuple[str, str]]) -> Iterator[list[Said]]:
        self.questions += [question] * len(responses)
        for number, (_, text) in enumerate(responses):
            if self.ends_after is not None and number == self.ends_after:
                raise EngineError("the server is gone")
            yield [Said(number, None, "hm") if self.is_first else Said(number, "recheck" in text, "Yes")]
            self.is_first = False


def test_a_judge_is_asked_and_its_unclear_replies_are_counted(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=1)
    behaviour = Behaviour(name="doubts", what="x", question="Does it doubt?")
    with pytest.raises(ConfigError, match="name one with --judge"):
        marks_of(run, behaviour)
    judge = Judge()
    found, _ = marks_of(run, behaviour, judge)
    assert judge.questions == ["Does it doubt?"] * 16
    (step,) = behaviour_study("doubts", found, what="x", agreement=None).sets["training"]
    assert (step.num, step.num_unclear) == (15, 1)
    assert next(iter(found[0].marks.values())).reply == "hm"


def test_what_a_judge_has_said_is_kept_when_its_engine_ends(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=1)
    behaviour = Behaviour(name="doubts", what="x", question="Does it doubt?")
    with pytest.raises(EngineError):
        marks_of(run, behaviour, Judge(ends_after=5))
    judge = Judge()
    found, num = marks_of(run, behaviour, judge)
    assert (num, len(judge.questions), len(found[0].marks)) == (11, 11, 16)


def test_a_judge_on_a_server_marks_resumes_and_is_named(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=1)
    (tmp_path / "own.py").write_text(
        "from analysis import Behaviour\nDOUBTS = Behaviour(name='doubts', what='x', question='Does it doubt?')\n",
        encoding="utf-8",
    )
    with running(server := Server(odd=doubts)) as url:
        arguments = ["detect", str(run.path), "--behaviour", f"{tmp_path / 'own.py'}:DOUBTS", "--bench", "training"]
        arguments += ["--judge", "m", "--judge-engine", "openai", "--judge-base-url", url, "--json"]
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, done.output
        first = len(server.log.bodies)
        again = CliRunner().invoke(app, arguments)
        assert len(server.log.bodies) - first < 8, (
            "only the first questions to a server, of which none is about a response"
        )
    assert again.stdout == done.stdout
    (study,) = json.loads(done.stdout)["behaviours"]
    expected = sum("recheck" in str(row.completion) for row in run.rollouts(1).rows())
    assert study["sets"]["training"][0]["share"] == expected / 16
    (card,) = run.rollouts(1).path.glob("marks/doubts/*/card.json")
    judge = json.loads(card.read_text(encoding="utf-8"))["judge"]
    assert (judge["model"], judge["server"]["base_url"]) == ("openai:m", url)


def doubts(body: dict[str, Any], _times: int) -> tuple[int, Any]:
    says = " Yes" if "recheck" in body["prompt"].partition("<response>")[2] else " No"
    choice = {"index": 0, "finish_reason": "stop", "text": says}
    return 200, {"choices": [choice], "usage": {"prompt_tokens": 9, "completion_tokens": 2}, "model": "m"}


def exported(run: RunDir, path: Path, *, errors: int, steps: Sequence[int] = (1, 2)) -> Path:
    """Every response of these steps seen; those with `wait` tagged, but the first ones are tagged wrongly."""
    lines = []
    for step in steps:
        for at, row in enumerate(run.rollouts(step).rows()):
            tagged = ("wait" in row.completion) != (step == 2 and at < errors)
            found = {
                "benchmark": "arithmetic",
                "step": step,
                "problem_id": row.problem_id,
                "sample_index": row.sample_index,
                "completion": row.completion,
                "seen": True,
                "tags": ["reflection", "other"] if tagged else None,
            }
            lines.append(json.dumps(found))
    lines.append(json.dumps({"step": 3, "problem_id": "p3-0", "sample_index": 0, "seen": None, "tags": None}))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_detectors_are_held_against_tags_and_corrected(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=6)
    found, _ = marks_of(run, find_behaviour("reflection"))
    agreement = agreement_with(read_tags(exported(run, tmp_path / "tags.jsonl", errors=4)), found, tag="reflection")
    num = agreement.both + agreement.only_detector + agreement.only_people + agreement.neither
    assert (num, agreement.only_detector + agreement.only_people) == (32, 4)
    study = behaviour_study("reflection", found, what="x", agreement=agreement)
    assert study.why_uncorrected is None or "wanted at least 5" in study.why_uncorrected
    perfect = agreement_with(read_tags(exported(run, tmp_path / "all.jsonl", errors=0)), found, tag="reflection")
    assert perfect.kappa == 1
    none = agreement_with(read_tags(exported(run, tmp_path / "all.jsonl", errors=0)), found, tag="absent")
    assert none.recall.value is None


def test_the_command(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=6)
    tags = exported(run, tmp_path / "tags.jsonl", errors=2)
    arguments = ["detect", str(run.path), "--behaviour", "reflection,no-reasoning", "--tags", str(tags)]
    done = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path / "figures"), "--json"])
    assert done.exit_code == 0, done.output
    reflection, short = json.loads(done.stdout)["behaviours"]
    assert list(reflection["sets"]) == ["training", "arithmetic, protocol 0123456789ab"]
    assert [step["step"] for step in reflection["sets"]["training"]] == [1, 2, 3, 4, 5, 6]
    assert reflection["agreement"]["tag"] == "reflection"
    assert short["agreement"]["recall"]["value"] is None
    assert (tmp_path / "figures" / "behaviours.csv").exists()
    shown = CliRunner().invoke(app, arguments)
    assert "against tags" in shown.output
    study = with_behaviours(build_study(load_path(run.path)[0]))
    assert [one.name for one in study.behaviours] == ["no-reasoning", "reflection"]
    assert "reflection (a reflection word" in behaviours_finding(study.behaviours).details[1]
    assert len(behaviours_figure(study.behaviours).panels) == 2


def test_reports_have_shares_as_found_and_corrected(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=6)
    tags = exported(run, tmp_path / "tags.jsonl", errors=2, steps=range(1, 7))
    arguments = ["detect", str(run.path), "--tags", str(tags), "--json", "--behaviour"]
    done = CliRunner().invoke(app, [*arguments, "reflection"])
    assert done.exit_code == 0, done.output
    study = with_behaviours(build_study(load_path(run.path)[0]))
    (found,) = study.behaviours
    assert found.why_uncorrected is None
    assert found.to_json()["agreement"] == json.loads(done.stdout)["behaviours"][0]["agreement"]
    finding, table = behaviours_finding(study.behaviours), behaviours_table(study.behaviours)
    assert "those of reflection are corrected" in finding.headline
    assert "Against the tag reflection on 96 judged responses: precision" in finding.details[0]
    assert ", corrected " in finding.details[0]
    assert all(row[-1].endswith(")") for row in table.rows if row[1] == "training")
    assert [one.quantity for one in behaviours_figure(study.behaviours).panels[0].series[:2]] == ["found", "corrected"]

    assert CliRunner().invoke(app, [*arguments, "guessing"]).exit_code == 0
    study = with_behaviours(build_study(load_path(run.path)[0]))
    detail = behaviours_finding(study.behaviours).details[0]
    assert "Not corrected: 0 judged responses have the tag and 96 do not, wanted at least 5 of each." in detail
    assert {row[-1] for row in behaviours_table(study.behaviours[:1]).rows} == {"–"}


def test_what_was_judged_elsewhere_stays_and_what_is_judged_again_is_replaced(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run", num_steps=3)
    found, _ = marks_of(run, find_behaviour("reflection"))
    everything = read_tags(exported(run, tmp_path / "tags.jsonl", errors=0))
    keep_judged(run, "reflection", judged=everything, found=found, tag="reflection")
    assert len(read_judged(run)["reflection"].responses) == 32
    keep_judged(run, "reflection", judged=everything[:1], found=found[:1], tag="reflection")
    kept = read_judged(run)["reflection"]
    assert sorted(Counter(one.step for one in kept.responses).items()) == [(1, 1), (2, 16)]
    keep_judged(run, "reflection", judged=everything[:1], found=found[:1], tag="other")
    assert len(read_judged(run)["reflection"].responses) == 1
    (run.path / "behaviours" / "reflection.json").write_text('{"schema_version": 1, "tag": "x"}', encoding="utf-8")
    study = with_behaviours(build_study(load_path(run.path)[0]))
    assert "delete it and run that again" in study.run.notes[-1]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--bench", "absent"], "it has training, arithmetic"),
        (["--behaviour", "reflection", "--tag", "x"], "give --tags and one --behaviour"),
        (["--tags", "{file}"], "wanted an export of rollouts from the app"),
    ],
)
def test_errors_of_the_command(tmp_path: Path, more: list[str], message: str) -> None:
    run = a_run(tmp_path / "run", num_steps=1)
    (tmp_path / "file.jsonl").write_text('{"a": 1}\n', encoding="utf-8")
    done = CliRunner().invoke(
        app, ["detect", str(run.path), *(each.format(file=tmp_path / "file.jsonl") for each in more)]
    )
    assert done.exit_code == 2
    assert message in " ".join(done.output.split())


def test_nobody_has_judged(tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    path.write_text("step,problem_id,sample_index,seen,tags\n1,p,0,,\n", encoding="utf-8")
    with pytest.raises(DataError, match="nobody has seen or tagged"):
        read_tags(path)
    path.write_text('step,problem_id,sample_index,seen,tags\n1,p,0,,"[""a"", ""b""]"\n2,p,0,True,\n', encoding="utf-8")
    assert [sorted(one.tags) for one in read_tags(path)] == [["a", "b"], []]


@pytest.mark.parametrize("why", WITHOUT_TEXT)
def test_a_request_that_failed_shows_no_behaviour(tmp_path: Path, why: str) -> None:
    """A published file of verifiers has 150 such samples: all were answers without reasoning."""
    run = a_run(tmp_path / "run", num_steps=1)
    folder = run.rollouts(1)
    rows = folder.rows()
    failed = [replace(row, completion="", verdict="no_answer", why=why) for row in rows[:3]]
    behaviour = find_behaviour("no-reasoning")
    with folder.lock():
        folder.replace([*failed, *rows[3:]])
    (found,), _ = marks_of(run, behaviour)
    keys = {row.key for row in failed}
    assert len(found.marks) == len(rows) - 3
    assert not keys & found.marks.keys()
    ((stored,),) = stored_marks(run).values()
    assert stored.marks.keys() == found.marks.keys()
