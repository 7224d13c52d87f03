"""How the gateway is: a status file, a metrics file, and the service manager's watchdog."""
