"""Trainers of other projects, run as a program of their own: verl, OpenRLHF and SkyRL.

In: a configuration. Out: a run directory. None of their packages is imported here: each runs in an environment of its
own, gets its prompts from a service of ours (`service`), and sends its responses there to be graded. `hooks` are the
files that they load.
"""
