"""One live guest seen from the controller: image, ssh, console, health."""
