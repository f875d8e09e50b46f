"""What text of the web is worth keeping: numbers of a document, and the thresholds that papers published for them."""
