"""kdevops: a Linux kernel test lab from one lab.yaml."""

__version__ = "0.1.0"
