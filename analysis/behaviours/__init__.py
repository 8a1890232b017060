"""Behaviours of responses: patterns, programs and judge models, run over a run's rollouts and held against tags"""
