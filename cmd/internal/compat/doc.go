// Package compat compares the contracts with those of the last release, and runs its binary beside today's.
//
// The base of the comparison is the latest tag v* behind HEAD, or as long as there is none, the commit in .ci/contract-base. Its tree is
// read out of git into a temporary directory, so the clone must have it: a shallow one fails, and says what to fetch. Then:
//
//   - apidiff compares the contract packages, and those whose values they use, as Go.
//   - A small program is built in both trees that reads messages with the tree's own servers and clients, and writes what it has
//     understood. Each reads what the other writes: requests and answers, old ones by new code and new ones by old code.
//   - The codes of the faults and the string constants are compared by the source.
//   - Both binaries form a shop over NATS: each module in turn is the old one and the rest are new, and the reverse.
//
// What breaks must stand in .ci/contract-breaks with a reason. All of it takes a minute, so it runs only when asked:
//
//	make compat
//
// docs/contracts.md has the rules that this holds.
package compat
