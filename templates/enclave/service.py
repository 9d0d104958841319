"""@NAME@ inside the enclave: hands out attestation documents on vsock port 5005.

One connection, one document. The parent sends one line of JSON, every member a hexadecimal string or null:

    {"nonce": "…", "user_data": "…", "public_key": "…"}

and gets the document as the Nitro Secure Module (NSM) signed it, raw CBOR, then the end of the connection. A request
that cannot be served gets the end of the connection at once; why stands on the console (of a debug-mode enclave only).

The parts that need the hardware (/dev/nsm, vsock) follow the published interface and run only in an enclave; the rest
(request, reply, protocol) runs anywhere and is what the project's tests exercise. Standard library only.
"""

import ctypes
import fcntl
import json
import os
import socket
import struct
import sys

PORT = 5005
REQUEST_LIMIT = 16 * 1024  # one line from the parent
PATIENCE = 10.0  # seconds for the parent to send it

NSM_DEVICE = "/dev/nsm"
NSM_IOCTL = 0xC0200A00  # _IOWR(0x0A, 0, two iovecs of 16 bytes): request, response
NSM_REQUEST_LIMIT = 4096
NSM_RESPONSE_LIMIT = 12288

FIELDS = ("user_data", "nonce", "public_key")


class Refused(Exception):
    """The request cannot be served; the text says why."""


# -- CBOR (RFC 8949), as much of it as the NSM's attestation request and reply need


def cbor_head(major, value):
    """Return the head of an item of a major type: the shortest form, as deterministic encoding wants."""
    if value < 24:
        return bytes([major << 5 | value])
    for code, form, limit in ((24, ">B", 1 << 8), (25, ">H", 1 << 16), (26, ">I", 1 << 32)):
        if value < limit:
            return bytes([major << 5 | code]) + struct.pack(form, value)
    raise Refused("too long for this encoder")


def cbor_encode(value):
    """Return null, a byte string, a text or a map of these, encoded."""
    if value is None:
        return b"\xf6"
    if isinstance(value, bytes):
        return cbor_head(2, len(value)) + value
    if isinstance(value, str):
        return cbor_head(3, len(value.encode())) + value.encode()
    if isinstance(value, dict):
        items = b"".join(cbor_encode(key) + cbor_encode(item) for key, item in value.items())
        return cbor_head(5, len(value)) + items
    raise Refused(f"not in an NSM request: {type(value).__name__}")


def cbor_decode(data):
    """Return the one item in data: maps, texts and byte strings only. Anything else, or left-over bytes, is refused."""
    value, end = _decode_at(data, 0, 0)
    if end != len(data):
        raise Refused(f"{len(data) - end} bytes after the NSM's reply")
    return value


def _decode_at(data, at, depth):
    if depth > 4:
        raise Refused("the NSM's reply is nested too deep")
    if at >= len(data):
        raise Refused("the NSM's reply is cut short")
    major, code = data[at] >> 5, data[at] & 0x1F
    at += 1
    if (major, code) == (5, 31):
        return _decode_map(data, at, depth, None)
    if code < 24:
        length = code
    elif code in (24, 25, 26, 27):
        size = 1 << (code - 24)
        if at + size > len(data):
            raise Refused("the NSM's reply is cut short")
        length = int.from_bytes(data[at : at + size], "big")
        at += size
    else:
        raise Refused(f"the NSM's reply has a CBOR head that is not read here: 0x{data[at - 1]:02x}")
    if major == 5:
        return _decode_map(data, at, depth, length)
    if major not in (2, 3):
        raise Refused(f"the NSM's reply has CBOR major type {major}")
    if at + length > len(data):
        raise Refused("the NSM's reply is cut short")
    content = bytes(data[at : at + length])
    if major == 2:
        return content, at + length
    try:
        return content.decode(), at + length
    except UnicodeDecodeError as error:
        raise Refused("the NSM's reply has text that is not UTF-8") from error


def _decode_map(data, at, depth, length):
    """Decode a map's pairs; length None is an indefinite one, which ends at 0xff."""
    found = {}
    while length is None or len(found) < length:
        if length is None and data[at : at + 1] == b"\xff":
            return found, at + 1
        key, at = _decode_at(data, at, depth + 1)
        if not isinstance(key, str) or key in found:
            raise Refused("the NSM's reply has a map whose keys are not different texts")
        found[key], at = _decode_at(data, at, depth + 1)
    return found, at


# -- the NSM


def attestation_request(user_data, nonce, public_key):
    """Return the request for an attestation document; each argument is bytes or None."""
    request = cbor_encode({"Attestation": {"user_data": user_data, "nonce": nonce, "public_key": public_key}})
    if len(request) > NSM_REQUEST_LIMIT:
        raise Refused(f"the request has {len(request)} bytes, the NSM takes {NSM_REQUEST_LIMIT}")
    return request


def attestation_document(response):
    """Return the document out of the NSM's response."""
    reply = cbor_decode(response)
    if isinstance(reply, dict) and isinstance(reply.get("Attestation"), dict):
        document = reply["Attestation"].get("document")
        if isinstance(document, bytes) and document:
            return document
    if isinstance(reply, dict) and "Error" in reply:
        raise Refused(f"the NSM says {reply['Error']}")
    raise Refused("the NSM's reply has no document")


def attest(user_data, nonce, public_key):
    """Ask the NSM for an attestation document."""
    request = attestation_request(user_data, nonce, public_key)
    sent = ctypes.create_string_buffer(request, len(request))
    received = ctypes.create_string_buffer(NSM_RESPONSE_LIMIT)
    vectors = (ctypes.addressof(sent), len(request), ctypes.addressof(received), NSM_RESPONSE_LIMIT)
    message = bytearray(struct.pack("@QQQQ", *vectors))
    device = os.open(NSM_DEVICE, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(device, NSM_IOCTL, message, True)
    finally:
        os.close(device)
    length = struct.unpack("@QQQQ", message)[3]  # the driver writes back how much it filled
    if length > NSM_RESPONSE_LIMIT:
        raise Refused("the NSM driver says it wrote more than there was room for")
    return attestation_document(received.raw[:length])


# -- the parent


def read_request(connection):
    """Return user_data, nonce and public_key, bytes or None each, from the line the parent sends."""
    line = b""
    while not line.endswith(b"\n"):
        chunk = connection.recv(4096)
        if not chunk or len(line) + len(chunk) > REQUEST_LIMIT:
            raise Refused("the request is not one line of JSON")
        line += chunk
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Refused("the request is not JSON") from error
    if not isinstance(request, dict) or not set(request) <= set(FIELDS):
        raise Refused(f"the request is not an object of {', '.join(FIELDS)}")
    return tuple(_bytes(name, request.get(name)) for name in FIELDS)


def _bytes(name, value):
    if value is None:
        return None
    try:
        return bytes.fromhex(value)
    except (TypeError, ValueError) as error:
        raise Refused(f"{name} is not hexadecimal") from error


def answer(connection, attest=attest):
    """Serve one connection; the caller closes it."""
    connection.settimeout(PATIENCE)
    try:
        connection.sendall(attest(*read_request(connection)))
    except (Refused, OSError) as error:
        print(f"refused: {error}", file=sys.stderr, flush=True)


def serve(listener, attest=attest):
    """Serve connections one after another, for ever."""
    while True:
        connection, _ = listener.accept()
        with connection:
            answer(connection, attest)


def main():
    """Listen on the enclave's vsock."""
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as listener:
        listener.bind((socket.VMADDR_CID_ANY, PORT))
        listener.listen(16)
        print(f"@NAME@: attestation documents on vsock port {PORT}", flush=True)
        serve(listener)


if __name__ == "__main__":
    main()
