"""The asynchronous shell around the engine: gateways, journal, timers, control socket, kill."""
