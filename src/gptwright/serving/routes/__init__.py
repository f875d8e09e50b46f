"""Routes beside OpenAI's: conversations, labels, the queue of those who label, jobs, people."""
