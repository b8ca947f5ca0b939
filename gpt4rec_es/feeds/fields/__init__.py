"""Values of single fields as text: numbers, flags, titles, structured brands and categories."""
