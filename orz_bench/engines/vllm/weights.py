"""An extension of vLLM's workers that loads new weights. vLLM mixes this class into its worker class by name."""

from __future__ import annotations

from typing import Any

from orz_bench.engines.engine import WeightSource


class WeightLoader:
    """Runs inside each vLLM worker, on the device with its share of the model."""

    device: Any
    reload_weights: Any

    def load_weights_from(self, source: WeightSource) -> None:
        """Replace all weights in place, one at a time, as the source yields them."""
        self.reload_weights(weights_iterator=source.tensors(self.device))
