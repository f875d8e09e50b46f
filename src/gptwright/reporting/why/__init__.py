"""What an answer comes from: passages, demonstrations and rankings that the model learned, as text and as a page."""
