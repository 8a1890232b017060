"""IFBench's 58 checks (Pyatkin et al. 2025), written anew; verdicts equal the official ones (benchmarks/ifbench.py)."""
