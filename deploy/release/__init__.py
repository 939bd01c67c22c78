"""What makes and checks a release: the lock of the images' libraries, their licences, the changelog, the files."""
