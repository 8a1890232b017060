"""Sampling: engines that draw, how new weights reach them, and the collector that grades and keeps what they draw."""
