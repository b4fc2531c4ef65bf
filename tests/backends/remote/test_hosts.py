"""Addresses that may not be asked are not, whatever a name server says."""

import socket
import ssl
import subprocess
from ipaddress import ip_address

import pytest

from backends.base import BackendRefused, BackendUnavailable
from backends.remote import hosts, wire
from tests.backends.remote.conftest import question, right
from tests.backends.remote.plain import Plain

NEVER = ["169.254.169.254", "169.254.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192"]
NEVER += ["fd00:ec2::254", "fe80::1", "fd20:ce::254", "224.0.0.1", "ff02::1", "0.0.0.0", "0.1.2.3"]
NEVER += ["::", "240.0.0.1", "255.255.255.255", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"]
NEVER += ["2002:a9fe:a9fe::", "::ffff:0:169.254.169.254", "fe80::1%lo"]
PRIVATE = ["127.0.0.1", "127.9.9.9", "::1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "fd12::1"]
PRIVATE += ["100.64.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "fec0::1", "198.18.0.1"]
PUBLIC = ["1.1.1.1", "93.184.216.34", "2606:4700:4700::1111", "::ffff:1.1.1.1"]


def url(address):
    return f"http://[{address}]/v1" if ":" in address else f"http://{address}:8000/v1"


@pytest.fixture
def names(monkeypatch):
    """Name -> addresses, or one list for each time it is asked for; no name server is asked."""
    known = {}
    system = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **options):
        if host not in known:
            if host.endswith(".test"):
                raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
            return system(host, port, *args, **options)
        answers = known[host]
        now = answers.pop(0) if isinstance(answers[0], list) else answers
        return [entry for address in now for entry in system(address, port, *args, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return known


@pytest.mark.parametrize("address", NEVER)
@pytest.mark.parametrize("allow_private", [True, False])
def test_some_addresses_are_never_asked(address, allow_private):
    with pytest.raises(BackendRefused):
        hosts.check_url(url(address), allow_private)


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_need_leave(address):
    hosts.check_url(url(address), allow_private=True)
    with pytest.raises(BackendRefused, match="may not be asked"):
        hosts.check_url(url(address), allow_private=False)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_asked(address):
    assert hosts.refusal(ip_address(address), allow_private=False) is None


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f000001", "localhost"])
def test_other_spellings_of_loopback_are_seen_through(host):
    with pytest.raises(BackendRefused, match="machine's own"):
        hosts.check_url(f"http://{host}/v1", allow_private=False)


@pytest.mark.parametrize(
    "bad",
    [
        "ftp://host/v1",
        "file:///etc/passwd",
        "host:8000/v1",
        "//host/v1",
        "http://",
        "http:///v1",
        "http://host/v1?key=1",
        "http://host/v1#x",
        "http://host/v1?",
        "http://host:0/v1",
        "",
        "http://host:99999/v1",
        "http://ho st/v1",
        "http://host\\@other/v1",
        "http://[::1/v1",
        "http://host\n/v1",
        "javascript:alert(1)",
    ],
)
def test_what_is_no_base_url_is_refused(bad):
    with pytest.raises(BackendRefused, match="base_url"):
        hosts.check_url(bad, allow_private=True)


def test_a_password_in_a_url_is_refused_and_not_repeated():
    with pytest.raises(BackendRefused) as refused:
        hosts.check_url("https://me:hunter2@api.test/v1", allow_private=True)
    assert "hunter2" not in str(refused.value)


def test_one_bad_address_among_good_ones_is_enough(names):
    names["both.test"] = ["1.1.1.1", "169.254.169.254"]
    with pytest.raises(BackendRefused, match=r"both.test.*169\.254\.169\.254"):
        hosts.check_url("https://both.test/v1", allow_private=True)


def test_a_name_without_address_may_have_one_later(names):
    with pytest.raises(BackendUnavailable, match=r"gone\.test"):
        hosts.check_url("https://gone.test/v1", allow_private=True)


def test_a_name_is_checked_again_when_it_is_connected_to(names, server, connect):
    port = server.url.split(":")[2]
    names["rebound.test"] = [["1.1.1.1"], ["127.0.0.1"]]
    base_url = f"http://rebound.test:{port}"
    hosts.check_url(base_url, allow_private=False)
    with pytest.raises(BackendRefused, match=r"rebound.test.*127\.0\.0\.1"):
        connect(base_url, allow_private=False).send([question(1)])
    assert server.counters.received == 0


def test_a_name_is_resolved_once_for_the_check_and_the_connection(names, server, connect):
    """A second look-up would give the address that may not be asked."""
    names["once.test"] = [["127.0.0.1"], ["169.254.169.254"]]
    pool = connect(server.url.replace("127.0.0.1", "once.test"))
    assert pool.send([question(1)]) == [right(1)]
    assert server.counters.headers["host"].startswith("once.test:")
    assert names["once.test"] == [["169.254.169.254"]]


def test_a_redirect_is_not_followed(connect):
    """It would take the key along, past the check of the form."""

    async def redirect(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 307 Elsewhere\r\nlocation: http://169.254.169.254/\r\n"
        writer.write(head + b"content-length: 0\r\n\r\n")

    with Plain(redirect) as plain, pytest.raises(BackendRefused, match="answered 307"):
        connect(f"http://127.0.0.1:{plain.port}/v1").send([question(1)])


def test_tls_proves_the_name_though_the_address_is_connected_to(
    names, tmp_path, connect, monkeypatch
):
    names["right.test"] = names["wrong.test"] = ["127.0.0.1"]
    server, client = certificate(tmp_path, "right.test")
    monkeypatch.setattr(wire.http, "create_ssl_context", lambda: client)

    async def answer(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    with Plain(answer, server) as plain:
        assert connect(f"https://right.test:{plain.port}/v1").ask("GET", "models") == (200, {})
        with pytest.raises(BackendUnavailable, match=r"wrong\.test.*certificate"):
            connect(f"https://wrong.test:{plain.port}/v1").ask("GET", "models")


def certificate(folder, name):
    """Contexts of a server with a certificate for that name, and of a client that trusts it."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName=DNS:{name}"]
    try:
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl makes the certificate")
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cafile=folder / "cert.pem")
