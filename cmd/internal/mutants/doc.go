// Package mutants holds the simulation to its promise: for each guard that keeps an order or a cent, it takes the guard out of the
// code and wants to see the simulation turn red.
//
// Nothing is copied: the go command compiles the simulation with an overlay in which a few lines are other ones. Each mutant then runs
// seed after seed until the first that fails, which must name the invariant or the check that the guard is for. A mutant that survives
// its seeds fails the test: the simulation is too weak, or the guard is not needed. So does one that has no result in time. Compiling
// takes a while, so it runs only when asked:
//
//	make mutants
package mutants
