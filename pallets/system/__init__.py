"""Accounts, the block number, and how extrinsics end."""

from pallets.system.pallet import System

__all__ = ["System"]
