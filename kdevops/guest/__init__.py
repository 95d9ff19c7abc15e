"""One live guest seen from the controller: ssh, console, execution, health."""
