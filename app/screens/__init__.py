"""One module a page, each with `render(context)`. app/main.py lists them and draws what they share.

Not called `pages`: Streamlit would take each file of a folder of that name for a script of its own.
"""
