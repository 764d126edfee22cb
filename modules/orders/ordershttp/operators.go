package ordershttp

import (
	"context"
	"net/http"
	"strconv"

	"cutpoint/modules/orders"
	"cutpoint/platform/auth"
	"cutpoint/platform/web"
)

// registerOperators lays the routes by which others follow what happens, and operators see what does not.
func (f face) registerOperators(a *web.API) {
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/events", ID: "list-events", Tag: tag, Scopes: []string{auth.OrdersRead},
		Summary: "Read the ordered feed of events",
		Description: "Events in the order in which they became true. Keep `next_cursor` and send it as `after` to go on, also when there is nothing more " +
			"for now. The events of one order are numbered from 1 without a gap. Old ones are deleted after `--keep-events`: without `after` the feed begins with " +
			"the oldest that is kept; where events after `after` are gone, the answer is 410 `orders.events_pruned`.",
	}, f.events)
	web.Handle(a, web.Route{
		Method: http.MethodGet, Path: "/v1/ops/sagas", ID: "list-sagas", Tag: "Operations", Scopes: []string{auth.Ops},
		Summary: "List unfinished orders, oldest first", Description: "With `stuck=true` only those in review and those that were tried three times or more.",
	}, f.sagas)
}

type eventsInput struct {
	After int64 `query:"after" minimum:"0" default:"0" doc:"next_cursor of the page before"`
	Limit int   `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type eventsOutput struct{ Body web.Page[orders.Event] }

func (f face) events(ctx context.Context, in *eventsInput) (*eventsOutput, error) {
	page, err := f.orders.Events(ctx, orders.EventsRequest{After: in.After, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &eventsOutput{web.NewPage(page.Events, false, nil)}
	last := in.After
	if n := len(page.Events); n > 0 {
		last = page.Events[n-1].Position
	}
	out.Body.NextCursor, out.Body.HasMore = strconv.FormatInt(last, 10), page.More
	return out, nil
}

type sagasInput struct {
	Stuck bool `query:"stuck"`
	Limit int  `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type sagasOutput struct{ Body web.Page[orders.Saga] }

func (f face) sagas(ctx context.Context, in *sagasInput) (*sagasOutput, error) {
	page, err := f.orders.Sagas(ctx, orders.SagasRequest{Stuck: in.Stuck, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	out := &sagasOutput{web.NewPage(page.Sagas, false, nil)}
	out.Body.HasMore = page.More
	return out, nil
}
