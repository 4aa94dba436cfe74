"""Day two: what a team does after the first day. `outer add`, `outer pull`, `outer bump`."""
