package pricing_test

import (
	"testing"

	"cutpoint/modules/pricing"
	"cutpoint/platform/rpc/contracttest"
)

// TestContract compares the contract with what it has promised before; docs/contracts.md tells what to do when it is red.
func TestContract(t *testing.T) { contracttest.Run(t, pricing.Module, pricing.NewClient) }
