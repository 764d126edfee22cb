package payments_test

import (
	"testing"

	"cutpoint/modules/payments"
	"cutpoint/platform/rpc/contracttest"
)

// TestContract compares the contract with what it has promised before; docs/contracts.md tells what to do when it is red.
func TestContract(t *testing.T) { contracttest.Run(t, payments.Module, payments.NewClient) }
