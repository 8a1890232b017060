"""Writes a folder where verl's merger writes one; the weights are those of the base model."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import yaml


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("operation", choices=["merge"])
    for name in ("--backend", "--local_dir", "--target_dir"):
        parser.add_argument(name, required=True)
    given = parser.parse_args()
    config = yaml.safe_load((Path(given.local_dir).parents[2] / "orz.yaml").read_text(encoding="utf-8"))
    assert Path(given.local_dir, "model_world_size_1_rank_0.pt").exists()
    shutil.copytree(config["actor_rollout_ref"]["model"]["path"], given.target_dir)


if __name__ == "__main__":
    main()
