"""What a hostile peer does, by name. Each attack runs once against one node and ends by itself."""

from tests.hostile.attacks import agreement, content, wire
from tests.hostile.attacks.base import ATTACKS, INSIDER_ATTACKS, Attack

__all__ = ["ATTACKS", "INSIDER_ATTACKS", "Attack", "agreement", "content", "wire"]
