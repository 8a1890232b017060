"""GAE for 8,192 rollouts of 2,000 tokens: our scan against loops over every token, one thread, CPU time.

tensor loop: element by element on tensors, as the reference implementation does. float loop: the same in plain Python
numbers, the fastest that a loop gets. Both run on some rollouts only and are scaled up; all three agree.
"""

from __future__ import annotations

import time

import torch
from _record import keep

from orz_rl.ppo.advantages import gae

ROLLOUTS, TOKENS, GAMMA, LAM = 8192, 2000, 1.0, 0.95
LOOP_ROLLOUTS, TENSOR_ROLLOUTS, REPEATS = 32, 2, 5


def main() -> None:
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    rewards, values = (torch.randn(ROLLOUTS, TOKENS, generator=generator) for _ in range(2))
    mask = torch.ones(ROLLOUTS, TOKENS)
    scans, loops, tensor_loops = [], [], []
    found = torch.empty(0)
    for _ in range(REPEATS):
        start = time.process_time()
        found = gae(rewards, values, mask_BT=mask, gamma=GAMMA, gae_lambda=LAM)
        scans.append(time.process_time() - start)
        start = time.process_time()
        slow = _loop(rewards[:LOOP_ROLLOUTS].tolist(), values[:LOOP_ROLLOUTS].tolist())
        loops.append((time.process_time() - start) * ROLLOUTS / LOOP_ROLLOUTS)
        start = time.process_time()
        slowest = [_tensor_loop(rewards[row], values[row]) for row in range(TENSOR_ROLLOUTS)]
        tensor_loops.append((time.process_time() - start) * ROLLOUTS / TENSOR_ROLLOUTS)
        assert torch.allclose(torch.stack(slowest), found[:TENSOR_ROLLOUTS], atol=1e-3)
        assert torch.allclose(torch.tensor(slow), found[:LOOP_ROLLOUTS], atol=1e-3)
    scan, loop, tensor_loop = (sorted(times)[REPEATS // 2] for times in (scans, loops, tensor_loops))
    keep(
        "advantage_speed",
        {
            "scan_cpu_s": round(scan, 3),
            "float_loop_cpu_s": round(loop, 2),
            "tensor_loop_cpu_s": round(tensor_loop, 1),
            "ratio_to_float_loop": round(loop / scan, 1),
            "ratio_to_tensor_loop": round(tensor_loop / scan, 1),
        },
    )


def _tensor_loop(rewards: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    advantages = torch.zeros_like(rewards)
    after_advantage = after_value = torch.zeros(())
    for t in reversed(range(TOKENS)):
        delta = rewards[t] + GAMMA * after_value - values[t]
        after_advantage = delta + GAMMA * LAM * after_advantage
        advantages[t] = after_advantage
        after_value = values[t]
    return advantages


def _loop(rewards: list[list[float]], values: list[list[float]]) -> list[list[float]]:
    """Token by token in plain Python floats, which is faster than token by token in tensors."""
    result = []
    for row_rewards, row_values in zip(rewards, values, strict=True):
        advantages = [0.0] * TOKENS
        after_advantage = after_value = 0.0
        for t in reversed(range(TOKENS)):
            delta = row_rewards[t] + GAMMA * after_value - row_values[t]
            after_advantage = delta + GAMMA * LAM * after_advantage
            advantages[t] = after_advantage
            after_value = row_values[t]
        result.append(advantages)
    return result


if __name__ == "__main__":
    main()
