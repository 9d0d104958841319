"""One command for the whole life of attested compute on AWS."""

__version__ = "0.1.0"
