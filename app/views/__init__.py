"""What the pages on rollouts draw, in Streamlit. It decides nothing: numbers and texts come from app.queries."""
