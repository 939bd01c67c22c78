"""`python -m streamverify`."""

from streamverify.cli import main

main()
