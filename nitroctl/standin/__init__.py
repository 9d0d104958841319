"""A Nitro host that is not one: nitro-cli's behaviour, an NSM and a PKI, for ``nitroctl demo`` and the tests.

Nothing it issues is ever accepted unless its root certificate is passed explicitly, and then every verdict names it.
"""
