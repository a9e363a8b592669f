"""What really happened against the alerts of a service: sensitivity, lead time, false and overdue alarms.

It reads two files and knows no rule: docs/simulator/scoring.md says what every figure means.
"""
