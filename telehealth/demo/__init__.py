"""The demo: two simulated wards on embedded servers, fed by the simulator. Loopback only."""
