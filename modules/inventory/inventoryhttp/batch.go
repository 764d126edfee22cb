package inventoryhttp

import (
	"context"
	"net/http"

	"cutpoint/modules/inventory"
	"cutpoint/platform/auth"
	"cutpoint/platform/web"
)

func registerBatch(a *web.API, f face) {
	units := int64(40)
	web.Handle(a, web.Route{
		Method: http.MethodPost, Path: "/v1/items/batch", ID: "put-items", Tag: tag, Scopes: []string{auth.StockWrite},
		Summary: "Create or replace many items, and count their stock",
		Description: "All in one transaction, in their order, whatever their versions. Each item is done whole, or it is refused and " +
			"changes nothing; the answer lists the refused ones by their index.",
		Example: ItemsInput{Reason: "delivery 4711", Entries: []ItemsEntry{{SKU: "MUG-1", Name: "Mug", Location: "main", OnHand: &units}}},
	}, f.putItems)
}

// ItemsInput is many items.
type ItemsInput struct {
	Entries []ItemsEntry `json:"entries" minItems:"1" maxItems:"500" nullable:"false"`
	Reason  string       `json:"reason" minLength:"1" maxLength:"200" doc:"Stands in the movements of the stock that is counted" example:"delivery 4711"`
}

// ItemsEntry is one of many items.
type ItemsEntry struct {
	SKU       string `json:"sku" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" maxLength:"64" example:"MUG-1"`
	Name      string `json:"name" minLength:"1" maxLength:"200" example:"Mug"`
	Backorder *bool  `json:"backorder,omitempty" doc:"Sell it even when the shelves are empty; without it, what is there stays"`
	Location  string `json:"location,omitempty" maxLength:"64" doc:"Where the stock was counted" example:"BER"`
	OnHand    *int64 `json:"on_hand,omitempty" minimum:"0" maximum:"1000000000" doc:"Units that were counted; without it, the stock stays as it is" example:"40"`
}

// PutItems tells what became of many items.
type PutItems struct {
	Done    int                      `json:"done" doc:"Items that are now as they were sent"`
	Refused []inventory.RefusedEntry `json:"refused" nullable:"false" doc:"Items that changed nothing, and why"`
}

type putItemsOutput struct {
	web.ReplayHeader
	Body PutItems
}

func (f face) putItems(ctx context.Context, in *struct {
	web.Keyed
	Body ItemsInput
}) (*putItemsOutput, error) {
	key, err := in.Key(ctx, "POST /v1/items/batch", in.Body)
	if err != nil {
		return nil, err
	}
	r := inventory.PutItemsRequest{Key: key, Reason: in.Body.Reason, Entries: make([]inventory.ItemEntry, len(in.Body.Entries))}
	for i, e := range in.Body.Entries {
		r.Entries[i] = inventory.ItemEntry(e)
	}
	put, err := f.inventory.PutItems(ctx, r)
	if err != nil {
		return nil, err
	}
	return &putItemsOutput{web.ReplayedIf(put.Replayed), PutItems{len(r.Entries) - len(put.Refused), put.Refused}}, nil
}
