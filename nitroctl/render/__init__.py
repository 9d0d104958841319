"""How a result is shown: to people, to machines, to CI."""
