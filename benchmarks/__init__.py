"""Benchmarks behind the claims about speed: each module measures this project and a baseline in one run."""
