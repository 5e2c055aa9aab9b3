"""Balances, fees, and transfers that wait for a round's winner to settle them."""

from pallets.coin.pallet import Coin

__all__ = ["Coin"]
