"""Carrier punctuality per day, from flights and airlines."""
