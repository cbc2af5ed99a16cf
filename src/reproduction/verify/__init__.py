"""Check the claims of a repository: reproduce committed results in a clean copy and compare."""
