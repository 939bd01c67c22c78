"""How a process tells what it measures of itself, and the spans of its work. It knows no room of the package."""
