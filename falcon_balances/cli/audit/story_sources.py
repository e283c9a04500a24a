"""The sources of an operation's story, and what they have about one object."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from falcon_balances.adapters.log_versions import LogVersions
from falcon_balances.adapters.manifests import ManifestBucket, SigningKey
from falcon_balances.audit.inclusion import Inclusion
from falcon_balances.audit.log_objects import LogSource, revision_of
from falcon_balances.audit.verifier.chain import folder_of_manifests
from falcon_balances.audit.verifier.files import MANIFEST_MAX_BYTES, read_plain
from falcon_balances.cli.target import Target
from falcon_balances.contracts.claimed import ClaimedSegment
from falcon_balances.contracts.claims import ClaimV1
from falcon_balances.domain.log_keys import merchant_of
from falcon_balances.domain.operations import BalanceOperation, Stage


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources. `target` and `versions` are None with folders only; manifests and public key are
    None if not given.
    """

    log: LogSource
    target: Target | None
    versions: LogVersions | None
    manifests: Path | None
    public_key: bytes | None

    def all_manifests(self) -> Iterator[tuple[str, bytes]]:
        """Yields manifests one by one, because together they can be larger than memory."""
        if self.manifests is not None:
            for path in sorted(folder_of_manifests(self.manifests).glob("[0-9]*.jsonl")):
                yield path.name, read_plain(path, MANIFEST_MAX_BYTES)
        elif self.target is not None:
            bucket = ManifestBucket(self.target.client("s3"), self.target.manifest_bucket)
            for key in sorted(bucket.keys()):
                yield key.rpartition("/")[2], bucket.read(key)

    def key(self) -> bytes | None:
        """The given public key, else the environment's, which then only vouches for itself."""
        if self.public_key is not None or self.target is None:
            return self.public_key
        return SigningKey(self.target.client("kms"), self.target.signing_key_alias).public_key()


@dataclass(slots=True)
class Found:
    """A log object under one key: as claimed, as sealed, and as it is."""

    key: str
    claim: ClaimV1 | None = None
    claimed: ClaimedSegment | None = None
    sealed: Inclusion | None = None
    body: bytes | None = None
    version_id: str | None = None
    lines: tuple[BalanceOperation, ...] = field(default=())

    @property
    def stage(self) -> Stage:
        return Stage(self.key.partition("/")[0])

    @property
    def revision(self) -> int:
        return revision_of(self.key.rpartition("/")[2])

    @property
    def merchant_id(self) -> str:
        return merchant_of(self.key) or ""
