"""Text out of packages: named with their version, fetched by the user's own clients, unpacked within bounds."""
