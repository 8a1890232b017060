"""What distillation learns, by the formulas themselves: on the real ranks, in any packs, on one rank and on two."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from orz_bench.records.rollout import Rollout
from orz_rl.config import TrainConfig
from orz_rl.ppo.batch import Batch
from orz_rl.ppo.losses import top_reverse_kl
from orz_rl.recipes.distill import on_policy, supervised
from orz_rl.recipes.registry import resolve
from orz_rl.training.learner import Learner, Scores, Updates, estimated
from orz_rl.workers.cluster import Cluster
from orz_rl.workers.in_process import Done, InProcessCluster
from orz_rl.workers.messages import ModelSpec, PolicyPack, PolicyTerms, Update
from orz_rl.workers.ports import free_port
from tests.support.builders import a_rollout_of_tokens
from tests.support.preloaded import FORKED
from tests.support.tiny_model import a_tiny_checkpoint

ROWS = [
    ([5, 6, 7], [8, 9, 10, 11]),
    ([12, 13], [14, 15]),
    ([12, 13], [17, 18, 19]),
    ([5, 6, 7], [22]),
    ([40], [41, 42]),
]
NUM_TOKENS = sum(len(answer) for _, answer in ROWS)
SIZES = ("data.max_prompt_tokens=4", "rollout.max_tokens=8", "optim.max_grad_norm=1e9", "cluster.in_process=true")
BETA = 0.9


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_tiny_checkpoint(tmp_path_factory.mktemp("student"))


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_tiny_checkpoint(tmp_path_factory.mktemp("teacher"), seed=1)


def rows(*, logprobs: float | None) -> list[Rollout]:
    """Right answers; the reward must not matter."""
    return [
        a_rollout_of_tokens(
            prompt,
            answer,
            sample_index=index,
            logprobs=None if logprobs is None else [logprobs] * len(answer),
            reward=float(index % 2),
        )
        for index, (prompt, answer) in enumerate(ROWS)
    ]


def batch_of(config: TrainConfig) -> Batch:
    return Batch.of(
        rows(logprobs=None if config.is_supervised else -0.5),
        is_sampled=not config.is_supervised,
        is_rewarded=not config.has_teacher,
    )


def updated(config: TrainConfig, learner: Learner) -> tuple[Scores, Updates]:
    batch = batch_of(config)
    scores = learner.score(batch)
    return scores, learner.update(batch, scores, estimate=estimated(batch, scores, config=config), step=1)


def by_us(config: TrainConfig, student: Path, teacher: Path | None = None) -> tuple[dict[str, Tensor], Updates]:
    """(gradient of every weight, updates) of the real learner's first step: Adam's first moment is its share of it."""
    learner = Learner(
        config,
        InProcessCluster(),
        policy=str(student),
        critic=str(student),
        reference=None if teacher is None else str(teacher),
    )
    _, updates = updated(config, learner)
    engine = learner._policy._rank.engine  # type: ignore[attr-defined]  # in process, it is there
    moments = {name: engine.optimizer.state[weight]["exp_avg"] for name, weight in engine.module.named_parameters()}
    return {name: moment / (1 - BETA) for name, moment in moments.items()}, updates


def logprobs_of(model: Any, prompt: Sequence[int], answer: Sequence[int]) -> Tensor:
    """Of every token of the vocabulary, at every place of the answer: from one plain pass."""
    logits = model(input_ids=torch.tensor([[*prompt, *answer]]), use_cache=False).logits[0]
    found: Tensor = logits.log_softmax(dim=-1)[len(prompt) - 1 : -1]
    return found


def plain(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def gradient_of(model: Any, loss: Tensor) -> dict[str, Tensor]:
    loss.backward()
    return {name: weight.grad for name, weight in model.named_parameters()}


def assert_same(found: dict[str, Tensor], wanted: dict[str, Tensor], *, least: float = 0.01) -> None:
    assert found.keys() == wanted.keys()
    assert max(float(tensor.abs().max()) for tensor in wanted.values()) > least, "there is something to compare"
    worst = max(float((found[name] - wanted[name]).abs().max()) for name in wanted)
    assert worst < 1e-6


@pytest.mark.parametrize("pack_tokens", [12, 64])
def test_on_policy_the_gradient_is_that_of_the_reverse_kl_by_its_formula(
    student: Path, teacher: Path, pack_tokens: int
) -> None:
    """(log pi - log pi_teacher) x the gradient of log pi, averaged over the sampled tokens; rewards play no part."""
    settings = (*SIZES, f"cluster.pack_tokens={pack_tokens}", *on_policy(str(teacher)))
    found, updates = by_us(resolve("tiny", overrides=settings), student, teacher)
    model, other = plain(student), plain(teacher)
    loss, reverse_kl = torch.zeros(()), 0.0
    for prompt, answer in ROWS:
        ours = logprobs_of(model, prompt, answer)[range(len(answer)), answer]
        with torch.no_grad():
            theirs = logprobs_of(other, prompt, answer)[range(len(answer)), answer]
        gap = (ours - theirs).detach()
        loss = loss + (gap * ours).sum() / NUM_TOKENS
        reverse_kl += float(gap.sum()) / NUM_TOKENS
    assert_same(found, gradient_of(model, loss))
    assert updates.policy[0].loss == pytest.approx(reverse_kl, abs=1e-5)


@pytest.mark.parametrize(("top_k", "pack_tokens"), [(40, 12), (40, 64), (999, 64)])
def test_with_top_k_it_is_that_of_the_kl_among_the_teachers_tokens_and_the_rest(
    student: Path, teacher: Path, top_k: int, pack_tokens: int
) -> None:
    """With every token of the vocabulary, the full reverse KL."""
    settings = (*SIZES, f"cluster.pack_tokens={pack_tokens}", *on_policy(str(teacher), teacher_tokens=top_k))
    found, updates = by_us(resolve("tiny", overrides=settings), student, teacher)
    model, other = plain(student), plain(teacher)
    loss = torch.zeros(())
    for prompt, answer in ROWS:
        ours = logprobs_of(model, prompt, answer)
        with torch.no_grad():
            theirs = logprobs_of(other, prompt, answer)
        best = theirs.topk(min(top_k, theirs.shape[1]), dim=1).indices
        parts, others = ours.gather(1, best).exp(), theirs.gather(1, best).exp()
        if top_k < theirs.shape[1]:
            parts = torch.cat([parts, 1 - parts.sum(dim=1, keepdim=True)], dim=1)
            others = torch.cat([others, 1 - others.sum(dim=1, keepdim=True)], dim=1)
        loss = loss + (parts * (parts / others).log()).sum() / NUM_TOKENS
    assert updates.policy[0].loss == pytest.approx(float(loss.detach()), abs=1e-5)
    assert_same(found, gradient_of(model, loss), least=0.005)


def test_the_kl_among_top_tokens_is_at_most_the_full_one_and_0_for_the_teacher_itself() -> None:
    generator = torch.Generator().manual_seed(0)
    ours, theirs = (torch.randn(50, 9, generator=generator).log_softmax(dim=1) for _ in range(2))
    full = (ours.exp() * (ours - theirs)).sum(dim=1)
    before = torch.zeros(50)
    for k in range(1, 10):
        best = theirs.topk(k, dim=1).indices
        found = top_reverse_kl(ours.gather(1, best), theirs.gather(1, best))
        assert bool((found >= before - 1e-5).all())
        before = found
        assert float(top_reverse_kl(theirs.gather(1, best), theirs.gather(1, best)).abs().max()) < 1e-5
    assert torch.allclose(before, full, atol=1e-5)


def test_the_expected_gradient_is_that_of_the_full_reverse_kl(student: Path, teacher: Path) -> None:
    """Over every token that the policy can write next, each with its probability: nothing is sampled."""
    model, other = plain(student), plain(teacher)
    (prompt, answer) = ROWS[0]
    ours = logprobs_of(model, prompt, answer)
    with torch.no_grad():
        theirs = logprobs_of(other, prompt, answer)
    expected = (ours.detach().exp() * (ours - theirs).detach() * ours).sum() / len(answer)
    sampled = gradient_of(model, expected)
    model.zero_grad()
    model = plain(student)
    again = logprobs_of(model, prompt, answer)
    assert_same(sampled, gradient_of(model, (again.exp() * (again - theirs)).sum() / len(answer)))


@pytest.mark.parametrize("pack_tokens", [12, 64])
def test_supervised_the_loss_is_the_cross_entropy_of_the_answers_alone(student: Path, pack_tokens: int) -> None:
    settings = (*SIZES, f"cluster.pack_tokens={pack_tokens}", *supervised("runs/x"))
    found, updates = by_us(resolve("tiny", overrides=settings), student)
    model = plain(student)
    answers = [-logprobs_of(model, prompt, answer)[range(len(answer)), answer].sum() for prompt, answer in ROWS]
    loss = torch.stack(answers).sum() / NUM_TOKENS
    assert updates.policy[0].loss == pytest.approx(float(loss.detach()), abs=1e-5)
    assert updates.policy[0].clipped == 0.0
    assert_same(found, gradient_of(model, loss))


class Recorder:
    """A policy of some ranks that keeps what each rank would learn."""

    def __init__(self, num_ranks: int) -> None:
        self.num_ranks = num_ranks
        self.batches: list[list[list[PolicyPack]]] = []
        self.terms: PolicyTerms | None = None

    def open_model(self, spec: object, num_ranks: int) -> Recorder:
        return self

    def ready(self) -> None:
        pass

    def check_packs(self, *, max_tokens: int, share_prompts: bool) -> Done:
        return Done(None)

    def update_policy(self, batches: Any, *, lr: Any, terms: PolicyTerms) -> Any:
        self.batches, self.terms = batches, terms
        return Ranks([[_nothing(items) for items in of_rank] for of_rank in batches])


class Ranks:
    def __init__(self, values: list[list[Update]]) -> None:
        self.values = values

    def results(self) -> list[list[Update]]:
        return self.values


def _nothing(items: list[PolicyPack]) -> Update:
    numbers = [item.weights_R for item in items]
    return Update(loss=0.0, clipped=0.0, grad_norm=0.0, logprobs=numbers, entropies=numbers)


def learned(rank: int, student: Path, port: int, items: Recorder, out: Path) -> None:
    """Three updates of one rank on its share; its weights and losses go to `out`."""
    import os

    from orz_bench.environment import set_library_defaults
    from orz_rl.workers.model_rank import ENVIRONMENT, ModelRank

    set_library_defaults()
    os.environ.update(ENVIRONMENT)
    spec = ModelSpec.plain(student)
    model = ModelRank(spec, rank=rank, num_ranks=items.num_ranks, rendezvous=f"tcp://127.0.0.1:{port}")
    assert items.terms is not None
    losses = []
    for _ in range(3):
        updates = model.update_policy(items.batches[rank], lr=1e-3, terms=items.terms)
        assert isinstance(updates, list)
        losses.append(updates[0].loss)
    torch.save((losses, {name: weight.clone() for name, weight in model.weights()}), out / f"{rank}.pt")


def shares_of(num_ranks: int, pack_tokens: int) -> Recorder:
    recorder = Recorder(num_ranks)
    config = resolve("tiny", overrides=[*SIZES, f"cluster.pack_tokens={pack_tokens}", *supervised("runs/x")])
    learner = Learner(config, cast("Cluster", recorder), policy="m", critic="m")
    updated(config, learner)
    return recorder


@pytest.mark.slow
def test_packs_and_ranks_of_a_supervised_update_do_not_matter(student: Path, tmp_path: Path) -> None:
    """One rank with one pack, one with several, and two gloo ranks: the same losses, the same weights."""
    found = []
    for number, (num_ranks, pack_tokens) in enumerate([(1, 64), (1, 12), (2, 12)]):
        items, port = shares_of(num_ranks, pack_tokens), free_port()
        out = tmp_path / str(number)
        out.mkdir()
        processes = [
            FORKED.Process(target=learned, args=(rank, student, port, items, out)) for rank in range(num_ranks)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join(1000)
            assert process.exitcode == 0
        parts = [torch.load(out / f"{rank}.pt") for rank in range(num_ranks)]
        found.append(([sum(losses) for losses in zip(*(part[0] for part in parts), strict=True)], parts[0][1]))
    (losses, weights), *others = found
    assert losses[2] < losses[0]
    for other_losses, other in others:
        assert other_losses == pytest.approx(losses, abs=1e-5)
        assert all(torch.allclose(other[name], weight, atol=2e-5) for name, weight in weights.items())
