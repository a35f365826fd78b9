"""What texts of a model mean: expressions, equations, statements, sums and their units, on parsed trees."""
