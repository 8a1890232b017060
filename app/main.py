"""The app's server: `streamlit run app/main.py -- --runs DIR`. Runs app/shell.py, and lets no other page frame it."""

from __future__ import annotations

from app.views.failures import require_server

require_server()  # before it is imported

from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from app.views.framing import NotFramed

server = st.App(Path(__file__).with_name("shell.py"), middleware=[Middleware(NotFramed)])
