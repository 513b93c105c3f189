"""Opens sockets and goes on as a command that gets them as the service manager would hand them on (sd_listen_fds(3)).

    pass_sockets.py NAME=ADDRESS:PORT NAME=unix:PATH ... -- COMMAND ...
"""

import os
import socket
import sys

split = sys.argv.index("--")
opened = []
for word in sys.argv[1:split]:
    name, where = word.split("=", 1)
    if where.startswith("unix:"):
        one = socket.socket(socket.AF_UNIX)
        one.bind(where[len("unix:"):])
    else:
        host, port = where.rsplit(":", 1)
        one = socket.socket()
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((host, int(port)))
    one.listen(1024)
    opened.append((name, os.dup2(one.fileno(), 100 + len(opened))))
for i, (_, descriptor) in enumerate(opened):
    os.dup2(descriptor, 3 + i)
    os.close(descriptor)
os.environ["LISTEN_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(len(opened))
os.environ["LISTEN_FDNAMES"] = ":".join(name for name, _ in opened)
command = sys.argv[split + 1:]
os.execvp(command[0], command)
