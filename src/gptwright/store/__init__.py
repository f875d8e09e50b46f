"""What people say and do, kept in a database: conversations, labels, tasks and jobs that outlive a crash."""
