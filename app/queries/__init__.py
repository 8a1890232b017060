"""Queries on the rollouts of a run, run by DuckDB on its Parquet parts; no page loads more than it shows.

Input: a run's folder and filters. Output: small frozen records. Nothing here draws, writes to a run, or imports
Streamlit.
"""
