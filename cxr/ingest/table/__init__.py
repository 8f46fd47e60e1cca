"""Label tables: from the CSV file of a data set or a hospital to what is said of each image."""
