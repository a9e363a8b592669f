"""How fast: durable ingest against a bare drain, publish to screen, evaluation. See docs/bench.md."""
