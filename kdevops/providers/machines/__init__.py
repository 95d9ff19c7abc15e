"""Remote machines with their own boot loader: hosts by address, and machines in clouds."""
