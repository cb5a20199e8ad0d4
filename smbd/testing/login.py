"""What a client needs to come to a share, in each of the forms that clients take."""

from collections.abc import Mapping
from pathlib import Path

from smbd.config import Address, ServerConfig, ShareConfig, UserConfig
from smbd.mount import mount_lines, unc, url


class Login:
    """One user's way to one share."""

    def __init__(
        self,
        server: ServerConfig,
        share: ShareConfig,
        address: Address,
        user: UserConfig | None,
    ) -> None:
        """A user of None is a guest."""
        self._server_config, self._share, self._address = server, share, address
        self._user = None if user is None else user.name
        # Of one that has only an NT hash no client gets a line that asks for nothing.
        self._password = None if user is None else user.password

    def __repr__(self) -> str:
        place = url(self._address, self.share, self._user)
        return f"<{type(self).__name__} {place}, {self.path}>"

    @property
    def host(self) -> str:
        """The address to connect to; of IPv6 without brackets."""
        return self._address.host

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._address.port

    @property
    def share(self) -> str:
        """The share's name."""
        return self._share.name

    @property
    def user(self) -> str:
        """The user's name; a guest's is empty."""
        return self._user or ""

    @property
    def password(self) -> str:
        """The user's password; a guest's is empty."""
        return self._password or ""

    @property
    def path(self) -> Path:
        """The folder that the share shows: what a test puts there, clients find."""
        return self._share.path

    @property
    def url(self) -> str:
        """`smb://user:password@host:port/share`, percent-encoded."""
        return url(self._address, self.share, self._user, self._password)

    @property
    def unc(self) -> str:
        r"""`\\host\share`, which has no place for the port."""
        return unc(self._address, self.share)

    @property
    def lines(self) -> Mapping[str, str]:
        """The command that mounts it, by client: Linux, Windows, macOS, smbclient."""
        of_server, password = self._server_config, self._password
        return dict(mount_lines(of_server, self._share, self._address, self._user, password))

    @property
    def mount(self) -> str:
        """The line that mounts it in Linux at /mnt."""
        return self.lines["Linux"]

    @property
    def smbclient(self) -> str:
        """The line for smbclient; add `-c ls`."""
        return self.lines["smbclient"]
