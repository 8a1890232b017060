"""Settings of the critic before the policy learns: where it starts, and how long it learns alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, create_model

from orz_rl.settings.section import Count, Section, Text


class _Start(Section):
    warmup_steps: Count = 0
    """The first so many steps (of num_steps) train the critic alone, on samples of the unchanged policy, whose own
    learning rates begin after them (VC-PPO, VAPO: docs/training.md)."""

    @property
    def source(self) -> str | None:
        """critic.from, which is no name in Python."""
        found: str | None = getattr(self, "from")
        return found


_FROM = (
    "A critic with its value head, from which the run starts: what `orz-rl fit-critic` or `orz-rl export --critic` "
    "wrote, with the policy's width and tokenizer; null: model.critic."
)
if TYPE_CHECKING:

    class CriticConfig(_Start):
        """Of the critic."""

else:
    CriticConfig = create_model(
        "CriticConfig",
        __base__=_Start,
        __module__=__name__,
        __doc__="Of the critic.",
        **{"from": (Text | None, Field(default=None, description=_FROM))},
    )
