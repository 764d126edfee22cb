//go:build !failpoints

package main

import "cutpoint/platform/failpoint"

// failpoints are where this process dies: nowhere. Only a test build has any.
func failpoints() failpoint.Points { return nil }
