"""Which models become an ensemble, which images do they know, and how are its decisions made?"""
