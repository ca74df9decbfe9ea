"""How much a profile shows at most."""

TOP_VALUES = 10
MAX_BINS = 20
FIRST_ROWS = 5
TEXT_CHARACTERS = 100
CERTAIN_SHARE = 100
"""Of a column that is not counted, the values that make up more than one of so many rows are found
for certain: of three times as many values, those that seem the most frequent are monitored."""
