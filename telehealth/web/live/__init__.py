"""What is pushed to boards, queues and residents' pages: one hub a process, a subscriber a socket."""
