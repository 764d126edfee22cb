package web

// What the fuzz tests need to see.
var (
	ValidTraceparent = validTraceparent
	Pointer          = pointer
)
