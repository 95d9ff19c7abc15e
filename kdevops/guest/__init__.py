"""One live guest as seen from the controller: ssh, console, execution, health."""
