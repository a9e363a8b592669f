"""The shell around alerts: takes due work, folds, writes episodes and alerts."""
