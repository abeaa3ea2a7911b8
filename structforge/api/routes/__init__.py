"""The routes, one module for each kind of object. Each route: read the request, call one service, answer."""
