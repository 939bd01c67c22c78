"""How a process tells what it measures of itself. It knows no room of the package."""
