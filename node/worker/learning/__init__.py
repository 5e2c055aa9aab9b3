"""A miner's data and the task's model: data sets, their partition, architectures, training.

TensorFlow and Keras are imported in trainer.py alone; everything else here is NumPy.
"""
