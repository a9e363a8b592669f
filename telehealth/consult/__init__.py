"""The role that keeps media workers running and consultations in order."""
