"""The image at rest: reading, measuring, signing and writing enclave image files (EIF)."""
