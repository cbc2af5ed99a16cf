"""Which predictions should a person correct first, and how does a labelling tool open them?"""
