"""The EC2 host: its programs, its kernel files, its enclaves."""
