"""From the broker and HTTP into the record: decode, store, acknowledge, receipt."""
