"""Groups of attempts at one problem, of which one success is enough."""
