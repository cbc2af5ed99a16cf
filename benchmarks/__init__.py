"""What the speed claims rest on: each module measures this project and a baseline in one run, and prints the ratio."""
