"""Fetch an attestation document from the enclave of @NAME@ and write it to a file.

    python3 client.py --cid 16 --output evidence.bin
    python3 client.py --socket /path/to/enclave.sock --output evidence.bin

--cid speaks vsock, on the parent instance of an enclave only; --socket speaks the same protocol over a unix socket,
for work on a machine without one. The document is written as it came: judging it is the verifier's work,

    nitroctl attest verify evidence.bin --nonce <the nonce>

and nobody should act on it before. Standard library only.
"""

import argparse
import json
import os
import secrets
import socket
import sys
import tempfile

PORT = 5005
DOCUMENT_LIMIT = 64 * 1024  # a Nitro attestation document has less than 16 KiB


def hexadecimal(text):
    """Return text as lower-case hexadecimal digits, refusing anything else."""
    try:
        return bytes.fromhex(text).hex()
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not hexadecimal: {text!r}") from error


def arguments(argv):
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(description="Fetch an attestation document from the enclave.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--cid", type=int, help="the enclave's CID, as nitro-cli describe-enclaves shows it")
    where.add_argument("--socket", metavar="PATH", help="a unix socket that speaks the same protocol")
    parser.add_argument("--nonce", type=hexadecimal, metavar="HEX", help="freshness; 32 random bytes when not given")
    parser.add_argument("--user-data", metavar="TEXT", help="text to be signed into the document")
    parser.add_argument("--output", required=True, metavar="FILE", help="where the document goes")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="patience (default: 30)")
    return parser.parse_args(argv)


def connect(cid, path, timeout):
    """Return a connection to the enclave."""
    family, address = (socket.AF_UNIX, path) if path else (socket.AF_VSOCK, (cid, PORT))
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    try:
        connection.connect(address)
    except BaseException:
        connection.close()
        raise
    return connection


def fetch(connection, nonce, user_data):
    """Return the document that the enclave sends for a nonce and user data (hexadecimal, or None)."""
    request = {"nonce": nonce, "user_data": user_data, "public_key": None}
    connection.sendall(json.dumps(request).encode() + b"\n")
    document = b""
    while chunk := connection.recv(65536):
        document += chunk
        if len(document) > DOCUMENT_LIMIT:
            raise ValueError(f"the answer is longer than {DOCUMENT_LIMIT} bytes")
    if not document:
        raise ValueError("the enclave closed the connection without a document")
    return document


def write(path, content):
    """Make content the file's content, whole or not at all."""
    directory = os.path.dirname(os.path.abspath(path))
    descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".part", dir=directory)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def main(argv):
    """Fetch one document; the exit status is 0 when it is written."""
    wanted = arguments(argv)
    nonce = wanted.nonce or secrets.token_hex(32)
    user_data = wanted.user_data.encode().hex() if wanted.user_data is not None else None
    try:
        with connect(wanted.cid, wanted.socket, wanted.timeout) as connection:
            document = fetch(connection, nonce, user_data)
        write(wanted.output, document)
    except (OSError, ValueError) as error:
        print(f"client: error: {error}", file=sys.stderr)
        return 1
    print(f"nonce: {nonce}")
    print(f"document: {wanted.output} ({len(document)} bytes)")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
