package outgoing

import "time"

// Policy is how patient deliveries are, and how much is done at once. The zero value takes the defaults.
type Policy struct {
	Timeout      time.Duration   // longest wait for a receiver's answer; 15 s
	Schedule     []time.Duration // waits between the attempts of a delivery; 5 s to 24 h, about 3 days in all
	DisableAfter time.Duration   // how long an endpoint fails before it is disabled; 5 days
	Retention    time.Duration   // how long deliveries are kept after their end; 30 days
	Overlap      time.Duration   // how long a secret stays valid once there is a newer one; 24 h

	Concurrency int // attempts under way at once, by each instance; 16
	PerEndpoint int // to one endpoint, by all of them, so that a slow receiver leaves room for others; 4

	CollectEvery  time.Duration // how often the feed is read when there was nothing new; 1 s
	CollectBatch  int           // events read at once; 100
	DispatchEvery time.Duration // how often due deliveries are looked for when nobody knows of one; 1 s
	CleanEvery    time.Duration // how often old deliveries are deleted; 1 h
	CleanBatch    int           // how many in one transaction; 500

	AllowPrivate bool // endpoints may be at private and loopback addresses
	AllowHTTP    bool // and may be reached without TLS; AllowPrivate allows that too
}

// schedule has its first wait after the first attempt.
func schedule() []time.Duration {
	return []time.Duration{
		5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour,
		12 * time.Hour, 24 * time.Hour, 24 * time.Hour,
	}
}

const day = 24 * time.Hour

func (p Policy) withDefaults() Policy {
	for _, d := range []struct {
		of *time.Duration
		to time.Duration
	}{
		{&p.Timeout, 15 * time.Second}, {&p.DisableAfter, 5 * day}, {&p.Retention, 30 * day}, {&p.Overlap, day},
		{&p.CollectEvery, time.Second}, {&p.DispatchEvery, time.Second}, {&p.CleanEvery, time.Hour},
	} {
		if *d.of <= 0 {
			*d.of = d.to
		}
	}
	for _, n := range []struct {
		of *int
		to int
	}{{&p.Concurrency, 16}, {&p.PerEndpoint, 4}, {&p.CollectBatch, 100}, {&p.CleanBatch, 500}} {
		if *n.of <= 0 {
			*n.of = n.to
		}
	}
	if len(p.Schedule) == 0 {
		p.Schedule = schedule()
	}
	return p
}

// claim is how long an attempt is taken to be alive: it must end, and be recorded, before another one may begin.
func (p Policy) claim() time.Duration { return p.Timeout + 15*time.Second }

// jitter is the part of a wait that chance adds or takes at most, so that what failed together is not tried again together.
const jitter = 0.2

// wait returns how long to wait after a number of failed attempts, or false if that was the last one.
func (p Policy) wait(failed int64, random float64) (time.Duration, bool) {
	if failed > int64(len(p.Schedule)) {
		return 0, false
	}
	return time.Duration(float64(p.Schedule[max(failed, 1)-1]) * (1 - jitter + 2*jitter*random)), true
}

// quiet is after how long without a failure an endpoint is no longer taken to be failing: nothing is being tried there.
func (p Policy) quiet() time.Duration {
	longest := time.Duration(0)
	for _, wait := range p.Schedule {
		longest = max(longest, wait)
	}
	return 2*longest + p.claim()
}
