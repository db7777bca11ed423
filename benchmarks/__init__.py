"""How fast: each benchmark is a ratio or a slope from one run, held to a bound."""
