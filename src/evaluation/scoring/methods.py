"""The names of the scored methods, as in the column `method` of data/evaluation/scores.csv."""

NETWORK = "unet"  # the trained network with its decisions
UNDECIDED = "undecided"  # the same network without decisions
COLOUR = "colour"  # the classifier of single pixels' colours
PREDICTION = "prediction"  # masks that another program made, scored by tools.score
