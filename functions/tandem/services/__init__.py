"""What the functions do, over the ports: no AWS and no HTTP here."""
