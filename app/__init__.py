"""The browser app for runs, rollouts and analysis: `streamlit run app/main.py`."""
