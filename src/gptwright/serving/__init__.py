"""The HTTP API in OpenAI's shapes, the chat page, and the ratings people leave there."""
