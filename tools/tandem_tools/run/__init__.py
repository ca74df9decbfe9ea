"""The whole application on one machine: the emulator, the deployed template and a way in."""
