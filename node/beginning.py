"""What shows that a chain has begun: any FINALIZE certificate of epoch 1.

A validator without log and database may never have voted, or may have lost both. Where nothing is final yet it may
begin; where something is, it must abstain (node/consensus/abstention.py). So what others say of that must not be
a mere claim, by which one liar could silence all who start: whoever has final blocks shows it in its handshake.
Epoch 1's set is in the genesis state, so anybody can check it, and nodes keep it whatever they prune. One that
started from a checkpoint has none.
"""

from __future__ import annotations

from collections.abc import Sequence

from node.chain import Chain
from pocl.v1.consensus_pb2 import FINALIZE, Certificate
from runtime.certificates import CertificateError, Verify, verify_certificate

_EPOCH = 1


class Beginning:
    """One chain's beginning, looked up once."""

    def __init__(self, chain: Chain) -> None:
        self._chain = chain
        self._certificate: Certificate | None = None

    def certificate(self) -> Certificate | None:
        """Return a FINALIZE certificate of epoch 1; None while nothing is final, or if none is kept."""
        if self._certificate is None and self._chain.final_number > 0:
            first = self._chain.database.first_justification()
            if first is not None and first.certificate.epoch == _EPOCH:
                self._certificate = first.certificate
        return self._certificate


def shows_beginning(
    certificate: Certificate | None, validators: Sequence[bytes], genesis_hash: bytes, verify: Verify
) -> bool:
    """Tell whether a certificate shows that something is final; `validators` is the set of epoch 1."""
    if certificate is None or certificate.kind != FINALIZE or certificate.epoch != _EPOCH:
        return False
    try:
        verify_certificate(certificate, validators, genesis_hash, verify=verify)
    except CertificateError:
        return False
    return True
