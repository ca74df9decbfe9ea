"""The table processors beside pandas, on the tables of some packages (`make compare-tables`)."""
