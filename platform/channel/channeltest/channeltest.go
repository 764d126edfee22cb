// Package channeltest is the conformance suite of channel layers: what package channel promises, case by case, as a driver must
// keep it. A driver is proved by one call:
//
//	func TestConformance(t *testing.T) {
//		channeltest.Run(t, channeltest.Driver{
//			New: func(t testing.TB, o channel.Options) channel.Layer { return channel.NewMemory(o) },
//		})
//	}
//
// The table in this file is the specification in the order of its promises; each case is a function that reads as the story of
// one. `go test -run 'TestConformance/3:'` runs those of the third promise.
//
// A case lives in a bubble of testing/synctest: a day passes at once, and "nothing arrives" is a fact and not a guess. A driver
// that needs the real network plays the same cases in real time (Driver.RealTime), in short times and with fewer rounds; the table
// says which of them it skips, and why.
//
// The suite itself is tested with drivers that are broken on purpose, each in one way: see its tests.
package channeltest

import (
	"testing"
	"testing/synctest"

	"cutpoint/platform/channel"
)

// Driver is what the suite needs to know of a driver.
type Driver struct {
	// New returns a layer that shares nothing with other layers: a process of its own. The suite closes it. What else the driver
	// needs it ends in t.Cleanup.
	New func(t testing.TB, o channel.Options) channel.Layer

	// RealTime says that the driver can't live in a bubble of testing/synctest.
	RealTime bool

	// LateRefusal says that a message which wants an answer may be refused in the slot of that answer, after Send.
	LateRefusal bool
}

// Run holds a driver to every promise.
func Run(t *testing.T, d Driver) {
	for _, c := range cases() {
		t.Run(c.promise, func(t *testing.T) {
			switch {
			case !d.RealTime:
				synctest.Test(t, func(t *testing.T) { c.keep(virtual(t, d)) })
				return
			case c.manner == tooLong:
				t.Skip("it would take minutes or hours")
			case c.manner == beside:
				t.Parallel()
			}
			c.keep(actual(t, d))
		})
	}
}

// testCase is a promise, and the story in which a driver has to keep it.
type testCase struct {
	promise string // with its number in the list of promises
	keep    func(*stage)
	manner  manner
}

// manner is how a case plays in real time.
type manner int

const (
	beside  manner = iota // others
	alone                 // since it looks at the heap and the goroutines of the whole process
	tooLong               // not at all, since it is about minutes or hours
)

func cases() []testCase {
	return []testCase{
		// 1. At most once.
		{"1: a message reaches one of many readers who come and go, and what is lost is counted", atMostOnce, beside},

		// 2. Order and fairness.
		{"2: what a writer sends is read in the order of sending, whatever the deadlines", orderOfWriters, beside},
		{"2: the order holds however sends and reads take turns", orderOfTurns, beside},
		{"2: the longest waiter is served first", longestWaiter, beside},
		{"2: a reader of several channels takes from each in turn", turns, beside},
		{"2: a waiting reader of several channels takes one message, the others stay", oneForAll, beside},

		// 3. Bounds.
		{"3: with capacity five, fifty simultaneous senders get five messages in", fiftySenders, beside},
		{"3: at capacity a send is refused at once and counted; a read makes room for one", atCapacity, beside},
		{"3: a channel has a capacity of 100 unless the first pattern that matches says otherwise", capacities, beside},
		{"3: messages whose time is over take no room", expiredTakeNoRoom, beside},

		// 4. Expiry.
		{"4: a message that is not read within its expiry is dropped and counted", expiry, beside},
		{"4: a deadline shortens the expiry and never prolongs it", deadline, beside},
		{"4: a reader who waits does not get a message whose deadline has passed, nor loses its place", tooLateToRead, beside},
		{"4: a message waits for a minute unless the options say otherwise", defaultExpiry, tooLong},
		{"4: memory is given back when the time is over, though nobody reads", reclaimed, alone},

		// 5. Names.
		{"5: every method takes the names that are valid", validNames, beside},
		{"5: every method refuses the names that are not, and leaves nothing behind", invalidNames, beside},
		{"5: 100,000 fresh names are unique, valid and of this process", freshNames, beside},
		{"5: only its own process may read a local channel", localReader, beside},
		{"5: the local channels of one prefix share one capacity", localCapacity, beside},

		// 6. Groups.
		{"6: each member of a group gets one copy, and nobody else", groupMembers, beside},
		{"6: adding and discarding twice is the same as once", groupIdempotent, beside},
		{"6: a membership expires unless it is renewed", groupExpiry, beside},
		{"6: a membership lasts a day unless the options say otherwise", groupDefaultExpiry, tooLong},
		{"6: a full member loses its copy and is counted; nobody else is delayed", groupFullMember, beside},

		// 7. Cancelling.
		{"7: a receive that is cancelled before it begins consumes nothing", cancelledBefore, beside},
		{"7: a receive that is cancelled while a message comes loses nothing and keeps the order", cancelledMeanwhile, beside},
		{"7: a reader who leaves while a message comes does not keep it from the next", cancelledNeighbour, beside},
		{"7: those who leave don't change the order of those who stay", cancelledInLine, beside},

		// 8. Bodies and headers.
		{"8: sender and receiver share no memory", noSharing, beside},
		{"8: members of a group share no memory", noSharingInGroups, beside},
		{"8: an answer shares no memory with who gave it", noSharingInAnswers, beside},
		{"8: the largest body passes, and one byte more is refused", sizes, beside},
		{"8: a body that is not encoded is handed over as it is, or refused by a layer that encodes", plainBodies, beside},
		{"8: the header arrives as it was sent", headers, beside},

		// 9. No residue.
		{"9: 100,000 readers who vanish leave nothing", noReadersLeft, alone},
		{"9: 100,000 waits for an answer that time out leave nothing", noWaitsLeft, alone},
		{"9: 10,000 channels that are used once leave nothing", noChannelsLeft, alone},
		{"9: 10,000 groups that expire leave nothing", noGroupsLeft, alone},

		// 10. The end.
		{"10: flush drops and counts what waits, and ends memberships", flushEmpties, beside},
		{"10: flush keeps those who wait", flushKeepsWaiters, beside},
		{"10: drain refuses what is new and returns when the last message is read", drainFinishes, beside},
		{"10: drain returns when the last message has expired", drainExpires, beside},
		{"10: drain respects its context", drainGivesUp, beside},
		{"10: answers pass while the layer drains", drainAnswers, beside},
		{"10: close wakes every reader and ends every wait", closeWakes, beside},
		{"10: close drops and counts what is queued", closeDrops, beside},
		{"10: after close everything is refused, and closing again does nothing", closeRefuses, beside},
		{"10: a listener that closes wakes its own readers and leaves the messages", listenerCloses, beside},
		{"10: the last listener may finish what was accepted after it closed", listenerFinishes, beside},

		// Request and reply.
		{"calls: an answer reaches its slot, before the wait or during it; a second one is dropped and counted", answers, beside},
		{"calls: a late answer is dropped and counted, and never reaches the next call", lateAnswers, beside},
		{"calls: an answer reaches its own call, however calls, answers and deadlines race", racingAnswers, beside},
		{"calls: slots are bounded and come free again, and an answer never meets a full channel", boundedSlots, beside},
		{"calls: a wait ends at its deadline or when it is told to, and is counted", waitEnds, beside},
		{"calls: a message that wants an answer is refused at once when nobody listens", noReceiver, beside},

		// Lanes.
		{"lanes: messages of one lane are read one at a time, each after the one before was handled; others overtake", laneOrder, beside},
		{"lanes: messages that wait for their lane count against the capacity", laneCapacity, beside},
		{"lanes: messages that wait for their lane expire and don't block it", laneExpiry, beside},
		{"lanes: a lane goes on after its listener closed, and after a flush", laneGoesOn, beside},
		{"lanes: many workers handle every lane in order", laneWorkers, beside},

		// Figures.
		{"stats: sent is received, expired, dropped and waiting together", figuresAddUp, beside},
		{"stats: the time that messages wait and waited is told", figuresOfTime, beside},
		{"info: the driver has a name, and each process one that stands in its addresses", information, beside},
	}
}
