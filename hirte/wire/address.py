"""D-Bus server addresses, after the specification's "Server Addresses": `tcp:host=…,port=…`.

Only what hirte can use is understood: `tcp` with host and port, `unix` with path or abstract.
"""

from __future__ import annotations

from hirte.wire.errors import AddressError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# D-Bus specification, "Well-known Message Bus Instances".
SYSTEM_BUS_VARIABLE = "DBUS_SYSTEM_BUS_ADDRESS"
USER_BUS_VARIABLE = "DBUS_SESSION_BUS_ADDRESS"
_SYSTEM_BUS = "unix:path=/var/run/dbus/system_bus_socket"

# The colon is beyond the specification's list; the reference writes IPv6 hosts with it.
_UNESCAPED = frozenset(
    b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_/\\.*:"
)  # fmt: skip


class Address:
    """One way to reach a server: `tcp` has host and port, `unix` has `path`.

    The path of an abstract Unix socket starts with a NUL character, as the kernel's does.
    """

    __slots__ = ("host", "path", "port")

    def __init__(self, host: str = "", port: int = 0, path: str = "") -> None:
        self.host = host
        self.port = port
        self.path = path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Address) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __str__(self) -> str:
        if self.path.startswith("\0"):
            return f"unix:abstract={_escape(self.path[1:])}"
        if self.path:
            return f"unix:path={_escape(self.path)}"
        return f"tcp:host={_escape(self.host)},port={self.port}"


def system_bus(environ: Mapping[str, str]) -> str:
    """Return the address of the system bus."""
    return environ.get(SYSTEM_BUS_VARIABLE) or _SYSTEM_BUS


def user_bus(environ: Mapping[str, str], uid: int) -> str:
    """Return the address of the bus of the user `uid`, as sd_bus_open_user(3) finds it."""
    address = environ.get(USER_BUS_VARIABLE)
    directory = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{uid}"
    return address or str(Address(path=f"{directory}/bus"))


def parse(text: str) -> list[Address]:
    """Return the alternatives of an address, in order, at least one.

    Raises AddressError for what is malformed or of a transport that hirte cannot use.
    """
    return [_parse_one(part) for part in text.split(";") if part] or _nothing(text)


def _nothing(text: str) -> list[Address]:
    raise AddressError(f"empty address: {text!r}")


def _parse_one(text: str) -> Address:
    transport, colon, rest = text.partition(":")
    if not colon:
        raise AddressError(f"an address has no transport: {text!r}")
    options: dict[str, str] = {}
    for item in rest.split(",") if rest else ():
        key, equals, value = item.partition("=")
        if not equals or not key or key in options:
            raise AddressError(f"not key=value, or a key twice: {item!r} in {text!r}")
        options[key] = _unescape(value, text)
    if transport == "unix":
        return _unix(options, text)
    if transport == "tcp":
        return _tcp(options, text)
    raise AddressError(f"transport {transport!r} is neither unix nor tcp: {text!r}")


def _unix(options: dict[str, str], text: str) -> Address:
    given = [key for key in ("path", "abstract") if options.get(key)]
    if len(given) != 1:
        raise AddressError(f"a Unix address needs either path or abstract: {text!r}")
    path = options[given[0]]
    if "\0" in path:
        raise AddressError(f"a path holds a NUL character: {text!r}")
    return Address(path="\0" + path if given[0] == "abstract" else path)


def _tcp(options: dict[str, str], text: str) -> Address:
    port = options.get("port", "")
    if not options.get("host"):
        raise AddressError(f"a TCP address needs a host: {text!r}")
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and 0 < int(port) <= 65535):
        raise AddressError(f"a TCP address needs a port of 1 to 65535: {text!r}")
    return Address(host=options["host"], port=int(port))


def _unescape(value: str, text: str) -> str:
    raw = bytearray()
    position = 0
    try:
        encoded = value.encode()
    except UnicodeEncodeError as error:
        raise AddressError(f"not UTF-8: {text!r}") from error
    while position < len(encoded):
        byte = encoded[position]
        if byte == ord("%"):
            digits = encoded[position + 1 : position + 3]
            try:
                raw += bytes.fromhex(digits.decode("ascii"))
            except ValueError as error:
                raise AddressError(f"bad % escape in {text!r}") from error
            if len(digits) != 2 or len(digits.strip()) != 2:
                raise AddressError(f"bad % escape in {text!r}")
            position += 3
        else:
            raw.append(byte)
            position += 1
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise AddressError(f"not UTF-8: {text!r}") from error


def _escape(value: str) -> str:
    return "".join(chr(b) if b in _UNESCAPED else f"%{b:02x}" for b in value.encode())
