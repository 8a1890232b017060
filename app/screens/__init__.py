"""One module per page, each with `render(context)`. app/shell.py lists them and draws what they share.

Not called `pages`, because Streamlit would treat each file in such a folder as a separate script.
"""
