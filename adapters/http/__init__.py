"""HTTP: routes, problems, sign-in of a request."""
