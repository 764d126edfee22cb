// The comparison of calls between modules with other ways to make them. A module of its own, so that what it compares with is no
// dependency of Cutpoint.
module cutpoint/bench

go 1.26.0

require (
	cutpoint v0.0.0
	github.com/ThreeDotsLabs/watermill v1.5.1
)

require (
	github.com/google/uuid v1.6.0 // indirect
	github.com/lithammer/shortuuid/v3 v3.0.7 // indirect
	github.com/oklog/ulid v1.3.1 // indirect
	github.com/pkg/errors v0.9.1 // indirect
)

replace cutpoint => ../..
