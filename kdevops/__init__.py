"""kdevops: a Linux kernel test lab from one lab.yaml."""

try:  # written when the package is built or installed, from the newest tag of git
    from kdevops._version import __version__ as __version__
except ImportError:  # the builder's archive, or a tree that was never installed
    __version__ = "0+unknown"
