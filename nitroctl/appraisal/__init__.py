"""Is authentic evidence acceptable? Reference values, debug mode, nonce and age, held against a policy."""
