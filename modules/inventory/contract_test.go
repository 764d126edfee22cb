package inventory_test

import (
	"testing"

	"cutpoint/modules/inventory"
	"cutpoint/platform/rpc/contracttest"
)

// TestContract compares the contract with what it has promised before; docs/contracts.md tells what to do when it is red.
func TestContract(t *testing.T) { contracttest.Run(t, inventory.Module, inventory.NewClient) }
