"""Posting to an address of the config, and to no other machine than it may be (RELIABILITY 6, SSRF).

The name is resolved here, every address it has is judged, and the connection goes to the very address that was judged:
a name that changes its mind in between changes nothing. Private ranges, this machine among them, are refused unless the
config names the host. Redirects are not followed. What goes wrong is told without the address, which may be a secret.
"""

import ipaddress
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import anyio
import httpx

from engine.control.notices.notice import NotTold, Reply
from engine.domain.errors import ConfigError
from engine.domain.secret import Secret

SECONDS = 15.0
"""A message has so long, from the name to the last byte (real time)."""
REPLY_BYTES = 64 * 1024
TRANSLATED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
"""Addresses that stand for IPv4 ones somewhere on the way: where they lead is not seen from here."""

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


class Poster:
    """Posts to one address.

    Args:
        address: ``https://...``; ``http`` only to a host of ``private``.
        private: hosts of the private network that may be called.
        resolve: host and port to addresses; default: the system's.

    Raises:
        ConfigError: the address can not be used.
    """

    def __init__(
        self, address: Secret, where: str, *, private: Sequence[str] = (), resolve: Resolve | None = None
    ) -> None:
        try:
            url = httpx.URL(address.reveal())
        except httpx.InvalidURL:
            url = httpx.URL("")
        if url.scheme not in ("http", "https") or not url.host or url.userinfo or url.fragment:
            raise ConfigError(f"{where}: write an address as https://host/path, without a user in it")
        self._private = url.host in private
        if url.scheme == "http" and not self._private:
            raise ConfigError(f"{where}: http shows the message on its way; write https, or name it in private_hosts")
        self._url = url
        self._resolve = resolve or _system
        self._client: httpx.AsyncClient | None = None

    async def post(
        self,
        body: bytes,
        content_type: str = "application/json; charset=utf-8",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        path: str = "",
    ) -> Reply:
        """Post once.

        Args:
            query: added to the address's own. path: added behind the address's own.

        Raises:
            NotTold: no whole answer came, or the address is one that may not be called.
        """
        url = self._url.copy_merge_params(query or {})
        if path:
            url = url.copy_with(path=self._url.path.rstrip("/") + path)
        try:
            with anyio.fail_after(SECONDS):
                address = await self._judged(url)
                return await self._send(url, address, body, {"content-type": content_type, **(headers or {})})
        except TimeoutError:
            raise NotTold(f"no answer within {SECONDS:g} s") from None
        except (httpx.HTTPError, OSError) as why:
            # Its own words may hold the address, which may be a secret.
            raise NotTold(f"not reachable ({type(why).__name__})") from None

    async def close(self) -> None:
        """Close what is open."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _judged(self, url: httpx.URL) -> str:
        port = url.port or (443 if url.scheme == "https" else 80)
        addresses = await self._resolve(url.host, port)
        if not addresses:
            raise NotTold("its host has no address")
        refused = [text for text in addresses if not self._private and not is_public(text)]
        if refused:
            raise NotTold("its host is in a private network; name it in [notices] private_hosts if that is meant")
        return addresses[0]

    async def _send(self, url: httpx.URL, address: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        if self._client is None:
            context: Any = ssl.create_default_context() if url.scheme == "https" else False
            self._client = httpx.AsyncClient(verify=context, trust_env=False, follow_redirects=False, timeout=SECONDS)
        # The certificate is asked for by name, the connection goes to the address that was judged.
        host = url.netloc.decode("ascii")
        request = self._client.build_request(
            "POST",
            url.copy_with(host=address),
            content=body,
            headers={**headers, "host": host},
            extensions={
                "sni_hostname": url.host,
                "timeout": dict.fromkeys(("connect", "read", "write", "pool"), SECONDS),
            },
        )
        answer = await self._client.send(request, stream=True)
        try:
            got = b""
            async for piece in answer.aiter_bytes():
                got += piece
                if len(got) > REPLY_BYTES:
                    raise NotTold("its answer is too long")
        finally:
            await answer.aclose()
        if answer.is_redirect:
            raise NotTold(f"it answers with a redirect ({answer.status_code}), which is not followed")
        return Reply(answer.status_code, got)


def is_public(text: str) -> bool:
    """Whether an address is one of the public network, however it is written."""
    address: Any = ipaddress.ip_address(text.partition("%")[0])
    if address.version == 6:
        if address.sixtofour or address.teredo or any(address in net for net in TRANSLATED):
            return False
        address = address.ipv4_mapped or address
    return bool(address.is_global and not address.is_multicast and not address.is_reserved)


async def _system(host: str, port: int) -> list[str]:
    """Every address of a name, in the order the system prefers."""
    found = await anyio.getaddrinfo(host, port, proto=6)
    return list(dict.fromkeys(str(row[4][0]) for row in found))
