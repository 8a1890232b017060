"""What pages draw, in Streamlit. It decides nothing: numbers and texts come from app.queries and analysis."""
