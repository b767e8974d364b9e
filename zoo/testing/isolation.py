"""Blocks that print nothing, or in which nothing may reach for the network, however quietly."""

from __future__ import annotations

import io
import logging
import os
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

from lightning.pytorch.utilities.seed import isolate_rng


@contextmanager
def quiet() -> Iterator[None]:
    """Print, log and warn nothing, and leave the random generators as they were."""
    disabled = logging.root.manager.disable
    with (
        isolate_rng(),
        warnings.catch_warnings(),
        redirect_stdout(io.StringIO()),
        redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            yield
        finally:
            logging.disable(disabled)


class NetworkTouched(BaseException):
    """Not an `Exception`, so that no library takes it for a failed download and goes on."""


@contextmanager
def no_network(torch_cache: Path) -> Iterator[None]:
    """Raise `NetworkTouched` when the block looks up a host or opens a connection.

    Args:
        torch_cache: Stands in for torch's cache of downloads: what that holds would be fetched
            anew on the next machine.
    """
    touched: list[str] = []

    def refuse(address: Any) -> None:
        touched.append(str(address))
        raise NetworkTouched(touched[0])

    def refuse_lookup(host: Any, port: Any = None, *_: Any, **__: Any) -> None:
        refuse(host if port is None else f"{host}:{port}")

    def refusing(connect: Callable) -> Callable:
        def connect_locally(self: socket.socket, address: Any) -> Any:
            # Sockets between processes of one machine are files with a name, not a network.
            return connect(self, address) if isinstance(address, str | bytes) else refuse(address)

        return connect_locally

    with (
        mock.patch.dict(os.environ, TORCH_HOME=str(torch_cache)),
        mock.patch.object(socket, "getaddrinfo", refuse_lookup),
        mock.patch.object(socket, "gethostbyname", refuse_lookup),
        mock.patch.object(socket.socket, "connect", refusing(socket.socket.connect)),
        mock.patch.object(socket.socket, "connect_ex", refusing(socket.socket.connect_ex)),
    ):
        yield
    if touched:  # in a thread, where the exception was lost
        raise NetworkTouched(touched[0])
