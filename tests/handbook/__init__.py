"""Makes the parts of docs/ that are made from the code: `make docs`. tests/unit/docs holds the pages to it."""
