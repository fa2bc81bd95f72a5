"""ftplib over TLS: the data connection resumes the session of the control connection, as FTP
servers demand more and more.
"""

from __future__ import annotations

import ftplib
import socket
from typing import Any

import pytest

import tlskit

from ..support.pairs import Background, client_context, only, server_context
from ..support.pki import PKI


def serve(listener: socket.socket, context: Any) -> list[bool]:
    """A server that knows just enough for one listing; whether its two connections were resumed,
    the control one first.
    """
    plain, _ = listener.accept()
    data_listener = socket.create_server(("127.0.0.1", 0))
    control: Any = plain
    resumed: list[bool] = []
    control.sendall(b"220 welcome\r\n")
    with data_listener:
        while True:
            line = b""
            while not line.endswith(b"\n"):
                line += control.recv(1) or b"QUIT\n"
            command = line.split()[0].upper()
            if command == b"AUTH":
                control.sendall(b"234 begin\r\n")
                control = context.wrap_socket(control, server_side=True)
                resumed.append(control.session_reused)
            elif command == b"EPSV":
                control.sendall(b"229 entering (|||%d|)\r\n" % data_listener.getsockname()[1])
            elif command == b"PASV":
                high, low = divmod(data_listener.getsockname()[1], 256)
                control.sendall(b"227 entering (127,0,0,1,%d,%d)\r\n" % (high, low))
            elif command == b"NLST":
                control.sendall(b"150 here it comes\r\n")
                with (
                    data_listener.accept()[0] as accepted,
                    context.wrap_socket(accepted, server_side=True) as data,
                ):
                    resumed.append(data.session_reused)
                    data.sendall(b"one\r\ntwo\r\n")
                    data.unwrap()
                control.sendall(b"226 done\r\n")
            elif command == b"QUIT":
                control.sendall(b"221 bye\r\n")
                control.close()
                return resumed
            else:
                control.sendall(b"200 well\r\n" if command != b"USER" else b"230 come in\r\n")


@pytest.mark.parametrize(
    "version", [tlskit.TLSVersion.TLSv1_2, tlskit.TLSVersion.TLSv1_3], ids=["tls12", "tls13"]
)
@pytest.mark.parametrize("resume", [True, False], ids=["by itself", "off"])
def test_the_data_connection_resumes(pki: PKI, version: Any, resume: bool) -> None:
    client, server = client_context(pki), server_context(pki, identity=pki.direct)
    only(version, client, server)
    client.sessions.resume = resume
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = Background(lambda: serve(listener, server))
        with ftplib.FTP_TLS(context=client, timeout=20) as ftp:
            ftp.connect(
                "localhost" if socket.gethostbyname("localhost") == "127.0.0.1" else "127.0.0.1",
                listener.getsockname()[1],
            )
            ftp.login("anybody", "")
            ftp.prot_p()
            assert ftp.nlst() == ["one", "two"]
            ftp.quit()
        assert serving.result() == [False, resume]
