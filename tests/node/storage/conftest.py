from tests.node.storage.harness import opened

__all__ = ["opened"]
