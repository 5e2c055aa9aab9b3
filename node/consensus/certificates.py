"""The certificates of an epoch that a node knows, all of them checked, from the last final view on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pocl.v1.consensus_pb2 import FINALIZE, NOTARIZE, NULLIFY, Certificate, VoteKind


class Contradiction(Exception):
    """Two valid certificates that cannot both exist while at most f validators are faulty."""


@dataclass(frozen=True, slots=True)
class Justification:
    """Why a block may be proposed in a view: its parent's certificate, and one for every view skipped."""

    parent_view: int
    parent_hash: bytes
    certificate: Certificate | None
    """NOTARIZE or FINALIZE of the parent in `parent_view`; None when that is 0, the opening block."""
    nullifications: tuple[Certificate, ...]


class CertificateBook:
    """At most one certificate per view and kind."""

    def __init__(self, opening_hash: bytes) -> None:
        self._opening_hash = opening_hash
        self._views: dict[int, dict[int, Certificate]] = {}

    def get(self, view: int, kind: VoteKind) -> Certificate | None:
        """Return the certificate of this kind for the view."""
        return self._views.get(view, {}).get(kind)

    def branch(self, view: int) -> Certificate | None:
        """Return what makes the view's block one to build on: a notarization, or a finalization."""
        return self.get(view, NOTARIZE) or self.get(view, FINALIZE)

    def add(self, certificate: Certificate) -> bool:
        """Take a checked certificate in; False when it is known. Raise Contradiction."""
        held = self._views.setdefault(certificate.view, {})
        for kind, other in held.items():
            same = other.block_hash == certificate.block_hash
            apart = {kind, certificate.kind} == {NULLIFY, FINALIZE}
            if apart or (not same and NULLIFY not in (kind, certificate.kind)):
                raise Contradiction(
                    f"two contradicting certificates in epoch {other.epoch}, view {other.view}"
                )
        if certificate.kind in held:
            return False
        held[certificate.kind] = certificate
        return True

    def certifies(self, block_hash: bytes) -> bool:
        """Tell whether a quorum has notarized or finalized the block in any of these views."""
        return any(
            kind != NULLIFY and certificate.block_hash == block_hash
            for held in self._views.values()
            for kind, certificate in held.items()
        )

    def justify(self, view: int) -> Justification | None:
        """Return the highest parent for a proposal in this view; None while a certificate is lacking."""
        nullifications: list[Certificate] = []
        for below in range(view - 1, 0, -1):
            branch = self.branch(below)
            if branch is not None:
                return Justification(below, branch.block_hash, branch, tuple(reversed(nullifications)))
            nullification = self.get(below, NULLIFY)
            if nullification is None:
                return None
            nullifications.append(nullification)
        return Justification(0, self._opening_hash, None, tuple(reversed(nullifications)))

    def best(self) -> Certificate | None:
        """Return the notarization or finalization of the highest view."""
        for view in sorted(self._views, reverse=True):
            if (branch := self.branch(view)) is not None:
                return branch
        return None

    def leading(self, view: int, limit: int) -> list[Certificate]:
        """Return what leads from the best block to a view, the highest views first when they are many."""
        best = self.best()
        start = max(best.view if best is not None else 1, view - limit)
        found = (self.branch(at) or self.get(at, NULLIFY) for at in range(start, view))
        return [certificate for certificate in found if certificate is not None]

    def __iter__(self) -> Iterator[Certificate]:
        """Walk all certificates, lowest views first."""
        for view in sorted(self._views):
            yield from list(self._views.get(view, {}).values())

    def drop_below(self, view: int) -> None:
        """Forget the certificates of lower views."""
        for below in [at for at in self._views if at < view]:
            del self._views[below]
