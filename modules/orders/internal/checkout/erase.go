package checkout

import (
	"context"

	"cutpoint/modules/orders"
)

// Erase implements orders.Service.
func (c *Checkout) Erase(context.Context, orders.EraseRequest) (orders.Erasure, error) {
	return orders.Erasure{}, nil
}

// Erasure implements orders.Service.
func (c *Checkout) Erasure(context.Context, orders.ErasureRequest) (orders.Erasure, error) {
	return orders.Erasure{}, nil
}
