"""What energy emits and costs: grid intensity, embodied emissions, price."""
