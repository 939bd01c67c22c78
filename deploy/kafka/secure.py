"""Listeners that ask who is there, for `kafka.py run --secure DIR`: certificates, users and passwords, made anew.

For tests of the clients' security settings. A part of kafka.py; needs the `openssl` command.
"""

# ruff: noqa: INP001 - a folder with one script, no package

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from jars import KafkaError

if TYPE_CHECKING:
    from pathlib import Path

USERS = ("worker", "client", "operator", "nobody")
"""Nobody of them may do anything before an ACL says so; PLAINTEXT (ANONYMOUS) may do all."""
PROTOCOLS = ("SASL_PLAINTEXT", "SSL", "SASL_SSL")
_MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512")


@dataclass(frozen=True, slots=True)
class Security:
    """What the nodes and the clients need; written to `security.json` for whoever tests."""

    cafile: str
    """The authority of the brokers' certificate, and of the client's."""
    strange_cafile: str
    """Another one, which no certificate here comes from."""
    certfile: str
    """The client's certificate: its principal is `User:CN=worker`."""
    keyfile: str
    """Its key, encrypted."""
    keyfile_password: str
    users: dict[str, str]
    """Passwords by user."""
    keystore: str
    """The brokers' key and certificate."""
    servers: dict[str, str] = field(default_factory=dict)
    """Bootstrap servers by protocol."""

    def properties(self, host: str, ports: dict[str, int]) -> dict[str, str]:
        """What a node's server.properties says besides; `ports` by protocol."""
        login = "org.apache.kafka.common.security"
        plain = " ".join(f'user_{name}="{password}"' for name, password in self.users.items())
        found = {
            "listeners": ",".join(f"{protocol}://{host}:{port}" for protocol, port in ports.items()),
            "protocols": ",".join(f"{protocol}:{protocol}" for protocol in ports),
            "sasl.enabled.mechanisms": ",".join(("PLAIN", *_MECHANISMS)),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": self.keystore,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": self.cafile,
            # One that asks for certificates and one that does not.
            "listener.name.ssl.ssl.client.auth": "required",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:ANONYMOUS",
        }
        for listener in ("sasl_plaintext", "sasl_ssl"):
            prefix = f"listener.name.{listener}"
            found[f"{prefix}.plain.sasl.jaas.config"] = f"{login}.plain.PlainLoginModule required {plain};"
            for mechanism in _MECHANISMS:
                found[f"{prefix}.{mechanism.lower()}.sasl.jaas.config"] = f"{login}.scram.ScramLoginModule required;"
        return found

    def format_flags(self) -> list[str]:
        """What `StorageTool format` is told, so that the users are there from the first start on."""
        return [
            word
            for name, password in self.users.items()
            for mechanism in _MECHANISMS
            for word in ("--add-scram", f"{mechanism}=[name={name},password={password}]")
        ]

    def write(self, folder: Path) -> None:
        """Write `security.json`."""
        file = folder / "security.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(asdict(self), indent=1), "utf-8")


def make_security(folder: Path) -> Security:
    """Make certificates in `folder`, and passwords.

    Raises:
        KafkaError: `openssl` is missing or fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    password = secrets.token_hex(8)
    _authority(folder, "ca")
    _authority(folder, "strange-ca")
    _signed(folder, "server", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    _signed(folder, "worker", "extendedKeyUsage=clientAuth")
    _openssl(
        "pkcs8", "-topk8", "-in", "worker.key", "-out", "worker.enc.key", "-passout", f"pass:{password}", at=folder
    )
    keystore = folder / "server.pem"
    keystore.write_text((folder / "server.key").read_text() + (folder / "server.crt").read_text())
    return Security(
        cafile=str(folder / "ca.crt"),
        strange_cafile=str(folder / "strange-ca.crt"),
        certfile=str(folder / "worker.crt"),
        keyfile=str(folder / "worker.enc.key"),
        keyfile_password=password,
        users={name: secrets.token_hex(8) for name in USERS},
        keystore=str(keystore),
    )


def _authority(folder: Path, name: str) -> None:
    subject = ("-subj", f"/CN={name}", "-days", "2", "-addext", "basicConstraints=critical,CA:TRUE")
    _openssl("req", "-x509", *_NEW_KEY, "-keyout", f"{name}.key", "-out", f"{name}.crt", *subject, at=folder)


def _signed(folder: Path, name: str, extension: str) -> None:
    _openssl("req", *_NEW_KEY, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}", at=folder)
    extensions = folder / f"{name}.ext"
    extensions.write_text(f"{extension}\n")
    authority = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
    _openssl(
        "x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.crt", *authority, "-extfile", extensions.name, at=folder
    )


_NEW_KEY = ("-newkey", "rsa:2048", "-noenc")


def _openssl(*arguments: str, at: Path) -> None:
    tool = shutil.which("openssl")
    if tool is None:
        raise KafkaError("--secure needs the openssl command: install openssl", 2)
    done = subprocess.run([tool, *arguments], cwd=at, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KafkaError(f"openssl {arguments[0]} failed: {done.stderr.strip()}")
