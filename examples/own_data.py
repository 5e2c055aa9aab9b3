"""Own data to try a chain with: scikit-learn's breast cancer table as one CSV file for each of four miners.

    python examples/own_data.py FOLDER

It writes FOLDER/alice/records.csv and so on for bob, charlie and dave: together the whole table, no row twice. They fit
the chain spec tabular-own (docs/own-data.md).
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer

MINERS = ("alice", "bob", "charlie", "dave")


def write_tables(folder: Path) -> None:
    """Write a table for each miner."""
    table = load_breast_cancer()
    order = np.random.default_rng(0).permutation(len(table.target))
    for miner, rows in zip(MINERS, np.array_split(order, len(MINERS)), strict=True):
        (folder / miner).mkdir(parents=True, exist_ok=True)
        with (folder / miner / "records.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["diagnosis", *table.feature_names])
            for row in rows:
                writer.writerow([table.target_names[table.target[row]], *map(float, table.data[row])])
        print(f"{folder / miner / 'records.csv'}: {len(rows)} rows")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Write breast cancer tables for four miners.")
    parser.add_argument("folder", type=Path)
    write_tables(parser.parse_args().folder)
