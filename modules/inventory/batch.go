package inventory

import (
	"context"

	"cutpoint/platform/idempotency"
	"cutpoint/platform/rpc"
)

// MaxBatch bounds the entries of one PutItems.
const MaxBatch = 500

// ItemEntry is an item as it should be. Backorder nil leaves what is there, and is false for a new item. With OnHand, so many units
// are counted at Location; without it, no level changes and Location means nothing.
type ItemEntry struct {
	SKU       string `json:"sku"`
	Name      string `json:"name"`
	Backorder *bool  `json:"backorder"`
	Location  string `json:"location"`
	OnHand    *int64 `json:"on_hand"`
}

// PutItemsRequest puts 1 to MaxBatch items, whatever their versions. Reason stands in the movements of those that are counted.
type PutItemsRequest struct {
	Key     idempotency.Key `json:"key"`
	Entries []ItemEntry     `json:"entries"`
	Reason  string          `json:"reason"`
}

// ItemsPut tells which entries were refused, by their index; all others are done.
type ItemsPut struct {
	Refused  []RefusedEntry `json:"refused"`
	Replayed bool           `json:"replayed"`
}

// RefusedEntry is an entry that changed nothing, and why: Code and Detail are those of a fault of this contract.
type RefusedEntry struct {
	Index  int    `json:"index"`
	SKU    string `json:"sku"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

var putItems = rpc.Define[PutItemsRequest, ItemsPut](Module, "put_items")

// PutItems implements Service.
func (c Client) PutItems(ctx context.Context, r PutItemsRequest) (ItemsPut, error) {
	return putItems.Call(ctx, c.caller, r)
}
