"""The records of the service and the rules that hold for them. No IO."""
