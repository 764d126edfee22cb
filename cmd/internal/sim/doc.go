// Package sim simulates a shop on the worst day of its life, again and again, in virtual time.
//
// All four modules run as they do in production, each over its own files. A seed decides what customers and operators do, which
// messages are lost, late or refused, which commits fail, what the payment provider does and tells, and at which of the points
// around a commit or a request to the provider the process dies. After a death the world is as dead as the process: nothing is
// committed or sent any more, until the shop is opened again on what is on its disk. In the end the faults stop, the shop has time
// to put itself in order, and is audited.
//
// There is one customer at a time and everything that runs by itself has its own instant, so that a seed is one history: a failing
// one replays exactly.
//
//	make sim                 # many seeds
//	make sim SEEDS=20000     # more
//	make sim FIRST=20001     # others
//	make sim SEED=77         # one, with its history
//	make mutants             # see it turn red, guard by guard: package mutants
package sim
