"""The app's server: `streamlit run app/main.py -- --runs DIR`. Runs app/shell.py, and lets no other page frame it."""

from __future__ import annotations

from app.views.failures import require_server

require_server()  # before it is imported

import os
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware

from app.views.document import KnowsItsServer
from app.views.framing import NotFramed
from app.views.libraries import begin_loading

# Before NumPy is loaded: matrices of a page are small, and a second thread costs more than it brings.
os.environ.setdefault("OMP_NUM_THREADS", "1")
server = st.App(Path(__file__).with_name("shell.py"), middleware=[Middleware(NotFramed), Middleware(KnowsItsServer)])
# The libraries of the pages take two seconds: they load while the browser opens, not once it has asked for a page.
begin_loading(f"app.screens.{path.stem}" for path in sorted(Path(__file__).with_name("screens").glob("[a-z]*.py")))
