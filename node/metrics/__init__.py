"""What Prometheus is told of a node (docs/metrics.md lists it).

- meter.py is what the node's parts know of all this: they measure with it, and it costs nothing where nobody scrapes;
- instruments.py is the meter that keeps what it measures: counters and histograms;
- readings.py gathers the rest at a scrape: what the node knows of itself anyway (node/status and others);
- families.py names it;
- exporter.py answers over HTTP.
"""
