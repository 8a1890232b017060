"""Programs that behave as other trainers do towards orz: they read the generated files, call our hooks, write logs and
checkpoints in their formats. They train nothing, and show nothing about the real trainers.
"""
