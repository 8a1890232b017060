"""What another trainer gets from us: prompts in the order of native and rewards by our grader, with the secret only."""

from __future__ import annotations

import json
import stat
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tokenizers import Tokenizer

from orz_bench.errors import RecordError, RunDirError
from orz_bench.grading.grader import Submission
from orz_bench.records.rollout import Grade, Request, Rollout
from orz_bench.records.run_dir import RunDir
from orz_rl.assets.resolve import TINY
from orz_rl.backends.external.scoring.client import Client
from orz_rl.backends.external.scoring.prompts import Desk
from orz_rl.backends.external.scoring.responses import Reader, Response
from orz_rl.backends.external.scoring.scorer import Scorer
from orz_rl.backends.external.scoring.service import Service, serving
from orz_rl.config import TrainConfig
from orz_rl.recipes.registry import resolve
from orz_rl.rollout.collector import group_seeds
from orz_rl.rollout.problems import Prompt, Prompts, problems_at
from tests.support.builders import a_problem

TOKENIZER = Tokenizer.from_file(str(TINY / "tokenizer.json"))
END = 0
PROMPTS = Prompts(
    tuple(
        Prompt(problem=a_problem(problem_id=f"p{number}", gold=str(number)), text="?", token_ids=(31,) * 8)
        for number in range(10)
    ),
    (),
)


def a_config(*overrides: str) -> TrainConfig:
    small = ("rollout.num_problems=4", "rollout.num_samples=2", "rollout.max_tokens=40", "num_steps=5")
    return resolve("tiny", overrides=[*small, *overrides])


class ByEquality:
    """Correct if the response holds the gold in a box."""

    def grade(self, submissions: Sequence[Submission]) -> list[Grade]:
        return [self._one(each) for each in submissions]

    def _one(self, submission: Submission) -> Grade:
        is_right = f"\\boxed{{{submission.gold}}}" in submission.response
        verdict = "correct" if is_right else "wrong"
        return Grade(
            verdict=verdict,  # type: ignore[arg-type]  # one of the two
            why="by equality",
            extracted=None,
            second_extractor="final",
            second_extracted=None,
            second_verdict="wrong",
        )


def ids(text: str, *, ended: bool = False) -> list[int]:
    return [*TOKENIZER.encode(text, add_special_tokens=False).ids, *([END] if ended else [])]


@contextmanager
def a_service(run: RunDir, config: TrainConfig) -> Iterator[tuple[Client, Scorer, Path]]:
    committed: list[Rollout] = []
    reader = Reader(str(TINY), config.rollout.sampling, max_sequence=config.max_sequence)
    scorer = Scorer(config, run, reader=reader, grader=ByEquality(), on_committed=committed.extend)
    service = Service(config, Desk(config, PROMPTS, start=0, step=1), scorer)
    address = run.path / "service.json"
    with serving(service, address, is_remote=False):
        yield Client(str(address)), scorer, address


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    found = RunDir(tmp_path / "run")
    found.path.mkdir()
    return found


def test_tickets_in_any_order_get_the_problems_of_native_in_every_step() -> None:
    config = a_config()
    desk = Desk(config, PROMPTS, start=0, step=1)
    for step in (1, 2, 3, 4):
        tickets = [f"{step}-{number}" for number in (3, 1, 0, 2)]
        samples = [desk.sample(ticket) for ticket in tickets for _ in range(2)]
        wanted = problems_at(10, start=4 * (step - 1), count=4, seed=config.seed, step_size=4)
        assert [sample.request.problem.problem_id for sample in samples[::2]] == [f"p{number}" for number in wanted]
        assert {sample.step for sample in samples} == {step}
        for sample in samples:
            problem, index = sample.request.problem.problem_id, sample.request.sample_index
            assert sample.request.seed == group_seeds(config.seed, step=step, problem_id=problem, count=2)[index]


def test_a_resumed_run_goes_on_where_it_stopped() -> None:
    config = a_config()
    whole, resumed = Desk(config, PROMPTS, start=0, step=1), Desk(config, PROMPTS, start=4, step=2)
    for number in range(4):
        whole.sample(f"first {number}")
    for number in range(4):
        one, other = whole.sample(f"t{number}"), resumed.sample(f"t{number}")
        assert (one.step, one.request) == (other.step, other.request)


def test_where_the_trainer_knows_the_step_replaced_groups_stay_in_it() -> None:
    desk = Desk(a_config(), PROMPTS, start=0, step=1)
    samples = [desk.sample(str(number), step=1) for number in range(7)]
    assert {sample.step for sample in samples} == {1}
    assert len({sample.request.problem.problem_id for sample in samples}) == 7


def test_samples_are_scored_once_and_only_those_handed_out() -> None:
    desk = Desk(a_config(), PROMPTS, start=0, step=1)
    sample = desk.sample("a")
    assert desk.take(sample.id) is sample
    for name in (sample.id, "1-9-9"):
        with pytest.raises(RecordError, match="not handed out, or was scored before"):
            desk.take(name)


@pytest.mark.parametrize(
    ("tokens", "is_truncated", "ended"),
    [
        (ids("so", ended=True), None, "eos"),
        (ids("so </answer> and"), None, "stop_string"),
        (ids("1" * 40), None, "length"),
        (ids("</answer>"), True, "length"),  # the engine says so
    ],
)
def test_how_a_response_ended(tokens: list[int], is_truncated: bool | None, ended: str) -> None:
    config = a_config()
    reader = Reader(str(TINY), config.rollout.sampling, max_sequence=config.max_sequence)
    request = Request(problem=a_problem(), sample_index=0, seed=1, prompt="?", prompt_token_ids=(31,) * 8)
    found = reader.completion(request, Response(token_ids=tuple(tokens), is_truncated=is_truncated))
    assert found.stop_reason == ended
    assert found.num_tokens == len(tokens)
    if ended == "stop_string":
        assert found.text == "so </answer>"
    with pytest.raises(RecordError, match="3 tokens of at most 40 end without end token"):
        reader.completion(request, Response(token_ids=tuple(ids("abc"))))


def test_rewards_and_rollouts(run: RunDir) -> None:
    config = a_config("reward.overlong_buffer=20")
    with a_service(run, config) as (client, scorer, _):
        first, second, third = (client.sample("t") for _ in range(3))
        assert first["token_ids"] == [31] * 8
        assert (first["max_tokens"], first["stop"]) == (40, list(config.rollout.stop))
        assert second["seed"] == first["seed"] + 1
        gold = next(p for p in PROMPTS.prompts if p.problem.problem_id == _first_problem(config)).problem.gold
        right = ids(f"\\boxed{{{gold}}} </answer>")
        told = client.score(first["id"], right, logprobs=[-0.1234567] * len(right), policy_version=0)
        assert (told["reward"], told["verdict"], told["is_truncated"]) == (1.0, "correct", False)
        assert client.score(second["id"], ids("no", ended=True))["reward"] == 0.0
        cut = ids(f"\\boxed{{{gold}}}" + "1" * 60)[:40]
        told = client.score(third["id"], cut)
        assert (told["reward"], told["is_truncated"]) == (
            -1.0,
            True,
        )  # right, but cut: 0, and the penalty of its length
        assert len(scorer.complete(1)) == 3
        assert scorer.complete(1) == []
    rows = run.rollouts(1).read().to_pylist()
    assert [(row["sample_index"], row["verdict"], row["reward"]) for row in rows] == [
        (0, "correct", 1.0),
        (1, "wrong", 0.0),
        (2, "correct", -1.0),
    ]
    assert rows[0]["logprobs"] == pytest.approx([-0.123457] * len(right), abs=1e-6)
    assert (rows[0]["policy_version"], rows[1]["policy_version"], rows[1]["logprobs"]) == (0, None, None)


def _first_problem(config: TrainConfig) -> str:
    (number,) = problems_at(10, start=0, count=1, seed=config.seed, step_size=4)
    return f"p{number}"


def test_many_threads_lose_nothing(run: RunDir) -> None:
    with a_service(run, a_config()) as (client, scorer, _), ThreadPoolExecutor(8) as threads:

        def one(number: int) -> None:
            sample = client.sample(str(number // 8), step=1)
            client.score(sample["id"], ids("no", ended=True))

        list(threads.map(one, range(64)))
        scorer.flush()
    assert len(run.rollouts(1).keys()) == 64


def test_nobody_without_the_secret_is_answered(run: RunDir) -> None:
    with a_service(run, a_config()) as (client, _, address):
        assert stat.S_IMODE(address.stat().st_mode) == 0o600
        url = json.loads(address.read_text())["url"]
        assert url.startswith("http://127.0.0.1:")
        for headers in ({}, {"Authorization": "Bearer "}, {"Authorization": "Bearer ä"}):
            request = urllib.request.Request(f"{url}/sample", data=b'{"ticket": "1"}', headers=headers)
            with pytest.raises(urllib.error.HTTPError, match="403") as caught:
                urllib.request.urlopen(request)
            caught.value.close()
        assert client.sample("1")
    assert not address.exists()


def test_what_makes_no_sense_is_refused_and_never_scored(run: RunDir) -> None:
    with a_service(run, a_config()) as (client, scorer, _):
        with pytest.raises(RuntimeError, match="was not handed out"):
            client.score("1-0-0", [1])
        sample = client.sample("1")
        with pytest.raises(RuntimeError, match="end without end token"):
            client.score(sample["id"], ids("abc"))
        with pytest.raises(RuntimeError, match="/nothing: unknown"):
            client._post("/nothing", {})
        with pytest.raises(RuntimeError, match=r"/score: KeyError: 'token_ids'"):
            client._post("/score", {"id": "x"})
        assert scorer.complete(1) == []


def test_a_service_that_is_gone_is_an_error_and_not_a_reward(run: RunDir) -> None:
    with pytest.raises(RuntimeError, match=r"service.json: not readable .*started by orz-rl train"):
        Client(str(run.path / "service.json")).sample("1")
    with a_service(run, a_config()) as (client, _, _):
        client.sample("1")
    with pytest.raises(RuntimeError, match="does not answer /sample"):
        client.sample("1")


def test_a_full_disk_ends_the_run(run: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    config = a_config()
    reader = Reader(str(TINY), config.rollout.sampling, max_sequence=config.max_sequence)

    class Full(ByEquality):
        def grade(self, submissions: Sequence[Submission]) -> list[Grade]:
            raise RunDirError("no space left")

    scorer = Scorer(config, run, reader=reader, grader=Full(), on_committed=lambda _: None)
    service = Service(config, Desk(config, PROMPTS, start=0, step=1), scorer)
    sample = service.answer("/sample", {"ticket": "1"})
    with pytest.raises(RunDirError):
        service.answer("/score", {"id": sample["id"], "token_ids": ids("no", ended=True)})
    assert isinstance(service.failure, RunDirError)
