"""HTTP in, HTTP out: a controller asks a service and shows a view. Each has `register(router)`."""
