"""Images: from the bytes of a file to what an encoder reads."""
