"""The testers' page. Knows the simulator by its control API only."""
