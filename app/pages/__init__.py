"""One module a page, each with `render(context)`. app/main.py lists them and draws what they share."""
