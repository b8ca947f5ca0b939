"""Files and answers for other tools and for analysts."""
