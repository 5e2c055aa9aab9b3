from tests.node.tools.harness import chain, dev, dev_data, long_data

__all__ = ["chain", "dev", "dev_data", "long_data"]
