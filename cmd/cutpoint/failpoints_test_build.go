//go:build failpoints

package main

import (
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"

	"cutpoint/platform/failpoint"
)

// failpoints of a test build: with CUTPOINT_DIE_AT=n the process kills itself, as SIGKILL does, at the n-th point around a commit or a
// request to the payment provider that it passes, and says on stderr which that was.
func failpoints() failpoint.Points {
	at, err := strconv.ParseInt(os.Getenv("CUTPOINT_DIE_AT"), 10, 64)
	if err != nil {
		return nil
	}
	var passed atomic.Int64
	return func(point string) error {
		if passed.Add(1) == at {
			fmt.Fprintf(os.Stderr, "dies at %s\n", point)
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is under way
		}
		return nil
	}
}
