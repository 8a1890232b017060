"""The Python of Ray's workers in forked_workers.py: passes its command on, and ends when the forked process has ended.

It is run for each worker, so it imports little.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path

if __name__ == "__main__":
    server = socket.socket(socket.AF_UNIX)
    server.connect(sys.argv[1])
    command = {"arguments": sys.argv[2:], "environment": dict(os.environ), "folder": str(Path.cwd())}
    content = json.dumps(command).encode()
    num_sent = socket.send_fds(server, [content], [0, 1, 2])
    server.sendall(content[num_sent:])
    server.shutdown(socket.SHUT_WR)
    server.recv(1)
