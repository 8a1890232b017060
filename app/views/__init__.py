"""Pieces of pages: they draw with Streamlit, and compute nothing."""
