package inventoryhttp

import (
	"context"
	"net/http"
	"time"

	"cutpoint/modules/inventory"
	"cutpoint/platform/auth"
	"cutpoint/platform/web"
)

// registerHolds lays the routes of carts. A hold belongs to the client that named it and has no history, so putting it again needs
// no If-Match.
func registerHolds(a *web.API, f face) {
	place := []string{auth.OrdersPlace}
	web.Handle(a, web.Route{
		Method: http.MethodPut, Path: "/v1/holds/{id}", ID: "put-hold", Tag: tag, Scopes: place,
		Summary: "Hold stock for a cart, for a time",
		Description: "All lines are held or none. Putting the same lines again lengthens the hold; other lines replace it, and if they " +
			"are not to be had, what was held before stays held. No If-Match is needed: a hold is its client's own.",
		Example: HoldInput{Lines: []inventory.Line{{SKU: "MUG-1", Quantity: 2}}, TTLSeconds: 900},
	}, f.putHold)
	web.Handle(a, web.Route{
		Method: http.MethodDelete, Path: "/v1/holds/{id}", ID: "delete-hold", Tag: tag, Scopes: place, Status: http.StatusNoContent,
		Summary:     "Give free what a cart holds",
		Description: "It also succeeds where nothing is held any more.",
	}, f.deleteHold)
}

// HoldPath names the hold of a cart.
type HoldPath struct {
	ID string `path:"id" pattern:"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" maxLength:"64" doc:"The client's own id of the cart; it should be hard to guess" example:"cart-5f1c2a"`
}

// HoldInput is what a cart wants, and for how long.
type HoldInput struct {
	Lines      []inventory.Line `json:"lines" minItems:"1" maxItems:"200" nullable:"false"`
	TTLSeconds int64            `json:"ttl_seconds" minimum:"1" maximum:"86400" doc:"From now on" example:"900"`
	Sourcing   string           `json:"sourcing,omitempty" enum:"split,whole" doc:"Whether it may come from several locations; without it, as the shop is set"`
}

func (f face) putHold(ctx context.Context, in *struct {
	HoldPath
	Body HoldInput
}) (*struct{ Body inventory.CartHold }, error) {
	h, err := f.inventory.Hold(ctx, inventory.HoldRequest{
		HoldID: in.ID, Lines: in.Body.Lines, TTL: time.Duration(in.Body.TTLSeconds) * time.Second, Sourcing: in.Body.Sourcing,
	})
	if err != nil {
		return nil, err
	}
	return &struct{ Body inventory.CartHold }{h}, nil
}

func (f face) deleteHold(ctx context.Context, in *struct{ HoldPath }) (*struct{}, error) {
	_, err := f.inventory.ReleaseHold(ctx, inventory.ReleaseHoldRequest{HoldID: in.ID})
	return nil, err
}
