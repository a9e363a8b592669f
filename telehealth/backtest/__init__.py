"""What the commands backtest and compare read and write: CSV files of anybody's, JSON, and a page with pictures."""
