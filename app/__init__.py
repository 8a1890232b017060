"""The app shows what analysis returns and what runs hold, in the browser: `streamlit run app/main.py`."""
