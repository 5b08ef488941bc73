"""What every part shares. Imports nothing from the parts."""
