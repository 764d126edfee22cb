package store

// Queued is how many writes wait to be taken.
func Queued(s *Store) int { return len(s.committer.queue) }
