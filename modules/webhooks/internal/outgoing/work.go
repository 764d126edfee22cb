package outgoing

import (
	"context"
	"sync"
	"time"
)

// Work reads the feed, sends what is due and cleans up, until stop is closed; it returns when its last worker has. Attempts that
// are under way then are finished, unless ctx ends: that cuts them off.
func (o *Outgoing) Work(ctx context.Context, stop <-chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var workers sync.WaitGroup
	workers.Go(func() {
		o.repeat(ctx, stop, job{what: "collect events", every: o.policy.CollectEvery, step: o.Collect})
	})
	workers.Go(func() {
		o.repeat(ctx, stop, job{what: "clean up deliveries", every: o.policy.CleanEvery, step: o.Clean})
	})
	workers.Go(func() { o.remind(stop) })
	for range o.policy.Concurrency {
		workers.Go(func() { o.repeat(ctx, stop, job{what: "dispatch a delivery", woken: o.wake, step: o.Dispatch}) })
	}
	workers.Wait()
}

// job is a step that is done again and again.
type job struct {
	what  string
	step  func(context.Context) (found bool, err error)
	every time.Duration   // do it after this time, though it found nothing; 0: never
	woken <-chan struct{} // do it when something comes from here; nil: never
}

// repeat does a job as long as it finds something, and then waits for its time or for somebody to wake it. A step that fails is
// not repeated before that either.
func (o *Outgoing) repeat(ctx context.Context, stop <-chan struct{}, j job) {
	var tick <-chan time.Time
	if j.every > 0 {
		ticker := time.NewTicker(j.every)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case <-stop:
			return
		default:
		}
		found, err := j.step(ctx)
		if err != nil && ctx.Err() == nil {
			o.Log.ErrorContext(ctx, j.what, "error", err)
		}
		if found && err == nil {
			continue
		}
		select {
		case <-stop:
			return
		case <-tick:
		case <-j.woken:
		}
	}
}

// remind wakes a worker every now and then, for deliveries whose time has come. A worker that finds one wakes the next.
func (o *Outgoing) remind(stop <-chan struct{}) {
	ticker := time.NewTicker(o.policy.DispatchEvery)
	defer ticker.Stop()
	for {
		select {
		case <-stop:
			return
		case <-ticker.C:
			o.nudge()
		}
	}
}

// nudge wakes one worker that has nothing to do.
func (o *Outgoing) nudge() {
	select {
	case o.wake <- struct{}{}:
	default: // one will look anyway
	}
}
