"""Questions about the rollouts of a run, answered by DuckDB over its Parquet parts; no page loads more than it shows.

Goes in: a run's folder and filters. Comes out: small frozen records. Nothing here draws, writes to a
run, or knows Streamlit.
"""
