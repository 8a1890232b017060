"""Figures of training: reward and length, format, reflection, lengths by outcome, groups without a signal."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.curves.study import Group
from analysis.figures.captions import caption
from analysis.figures.panels import metric_panel, present
from analysis.figures.spec import FigureSpec, Panel


def reward_panel(groups: Sequence[Group]) -> Panel | None:
    """Mean reward of each step's rollouts."""
    return metric_panel(groups, {"reward/mean": ""}, title="Training reward", y_label="mean reward")


def outcome_panel(groups: Sequence[Group]) -> Panel | None:
    """The reward, or the accuracy if no run has a reward."""
    accuracy = {"accuracy/mean": ""}
    return reward_panel(groups) or metric_panel(groups, accuracy, title="Training accuracy", y_label="correct answers")


def length_unit(groups: Sequence[Group]) -> str:
    """Label of a length axis: tokens, characters if a dump has no token counts, or both if runs differ."""
    return " or ".join(dict.fromkeys(group.length_unit for group in groups if group.curve("response/length_mean")))


def length_panel(groups: Sequence[Group]) -> Panel | None:
    """Mean length of each step's responses."""
    return metric_panel(groups, {"response/length_mean": ""}, title="Response length", y_label=length_unit(groups))


def training(groups: Sequence[Group]) -> FigureSpec:
    """Reward and response length over training: Figure 2."""
    panels = present([outcome_panel(groups), length_panel(groups)], wanted="rewards or response lengths of training")
    text = caption("Training reward and response length.", groups, panels=panels)
    return FigureSpec(name="training", title="Reward and response length in training", panels=panels, caption=text)


def form(groups: Sequence[Group]) -> FigureSpec:
    """Share of responses in the complete format, and of those with an extracted answer: Figure 4."""
    wanted = {"format/adherence": "whole format", "format/answer_rate": "an answer found"}
    panel = metric_panel(groups, wanted, title="Format", y_label="responses")
    panels = present([panel], wanted="a format adherence")
    text = caption("Responses in the complete format, and responses with an answer.", groups, panels=panels)
    return FigureSpec(name="format", title="Format adherence", panels=panels, caption=text)


def reflection(groups: Sequence[Group]) -> FigureSpec:
    """Reward, reflection rate, and the length of correct reflecting responses and of all responses: Figure 7."""
    lengths = {"response/length_mean": "all responses", "reflection/correct_length_mean": "right and reflecting"}
    panels = present(
        [
            metric_panel(groups, {"reflection/rate": ""}, title="Reflection rate", y_label="responses that reflect"),
            metric_panel(groups, lengths, title="Length: all, and right reflecting", y_label=length_unit(groups)),
        ],
        wanted="reflections (rollouts, or the metrics reflection/rate and reflection/correct_length_mean)",
    )
    panels = tuple(panel for panel in (reward_panel(groups), *panels) if panel is not None)
    text = caption("Reflection patterns: how often, and how long.", groups, panels=panels)
    return FigureSpec(name="reflection", title="Reflection in training", panels=panels, caption=text)


def lengths(groups: Sequence[Group]) -> FigureSpec:
    """Median and 95th percentile, correct and other responses, and the share cut by the token limit."""
    panels = present(
        [
            metric_panel(
                groups,
                {"response/length_median": "median", "response/length_p95": "95th percentile"},
                title="Spread of lengths",
                y_label=length_unit(groups),
            ),
            metric_panel(
                groups,
                {"response/length_correct_mean": "right", "response/length_wrong_mean": "other"},
                title="Length by outcome",
                y_label=length_unit(groups),
            ),
            metric_panel(groups, {"response/clip_rate": ""}, title="Cut by the limit", y_label="responses"),
        ],
        wanted="response lengths by outcome",
    )
    text = caption("Response lengths in training.", groups, panels=panels)
    return FigureSpec(name="lengths", title="Response lengths", panels=panels, caption=text)


def health(groups: Sequence[Group]) -> FigureSpec:
    """Entropy, repetition, and problems whose samples are all correct or all wrong."""
    panels = present(
        [
            metric_panel(groups, {"policy/entropy": ""}, title="Entropy", y_label="nats per token"),
            metric_panel(groups, {"response/repetition": ""}, title="Repetition", y_label="ORZ's score"),
            metric_panel(
                groups,
                {"group/all_right": "all right", "group/all_wrong": "all wrong"},
                title="Problems without a signal",
                y_label="problems",
            ),
        ],
        wanted="entropy, repetition or groups",
    )
    text = caption("Health of training.", groups, panels=panels)
    return FigureSpec(name="health", title="Is training healthy?", panels=panels, caption=text)
