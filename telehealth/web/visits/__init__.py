"""Video visits as staff see them: booked, gone on, over; contacts, recordings. Pages and API."""
