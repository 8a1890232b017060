"""Sampling: engines that draw, the way new weights reach them, and the collector that grades and keeps what they draw."""
