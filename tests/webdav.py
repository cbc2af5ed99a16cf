"""A WebDAV server on loopback, as a process of its own: storage that DVC reaches over the network."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import yaml

USER, PASSWORD = "tester", "not-a-secret"


@contextmanager
def webdav(root: Path, log: Path) -> Iterator[str]:
    """Serve the new folder `root` to USER with PASSWORD alone, yielding DVC's URL for it; `log`: for requests."""
    root.mkdir(parents=True)
    port = free_port()
    settings = {
        "host": "127.0.0.1",
        "port": port,
        "provider_mapping": {"/": str(root)},
        "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
        "simple_dc": {"user_mapping": {"*": {USER: {"password": PASSWORD}}}},
        "verbose": 3,
    }
    config = log.with_suffix(".yaml")
    config.write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "wsgidav.server.server_cli", "--config", str(config)]
    with log.open("w") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        wait_for(process, port, log)
        yield f"webdav://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(process: subprocess.Popen[bytes], port: int, log: Path, seconds: float = 30) -> None:
    """Until the server answers; fails with what it printed if it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"the WebDAV server does not answer:\n{log.read_text()}")
