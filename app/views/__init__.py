"""Streamlit views that pages are made of. They compute nothing: data comes from app.queries, app.runs and analysis."""
