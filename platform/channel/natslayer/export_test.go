package natslayer

// AnswerOverServer lets answers to this process take the way of those to others.
func AnswerOverServer(l *Layer) { l.far = true }
