"""Cluster: what a job asks for as data, and the text that a scheduler takes. Computes nothing itself."""

from bratsseg.cluster.job import ClusterJob
from bratsseg.cluster.slurm import batch_script, submit

__all__ = ["ClusterJob", "batch_script", "submit"]
