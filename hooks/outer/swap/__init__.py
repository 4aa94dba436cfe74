"""`outer swap`: another inner beside the living one, compared on the same input, and switched without losing a byte."""
