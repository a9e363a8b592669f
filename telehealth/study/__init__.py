"""How good the rules are on recorded data of other people: the figures of docs/clinical/performance.md.

Each study reads files that it recognises by their columns, folds them through the engine with rules that were fixed
beforehand, sets the result against a baseline or an independent count on the same people, and states method,
parameters and 95 % intervals beside every figure.
"""
